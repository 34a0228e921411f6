-- The secret key of the hash that makes keys and equality values (base/hash.ts). One row, drawn at random by the program that
-- made the store (store/hash-key.ts), and never changed: everything that is stored rests on it.
create table hash_key (
  one boolean not null primary key default true check (one),
  key bytea not null check (length(key) = 16)
);
