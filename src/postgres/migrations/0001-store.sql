-- What everything that is stored rests on: drawn, or set, when the store is made, and never changed.

-- The secret key of the hash that makes keys and equality values (base/hash.ts). One row, drawn at random by the program that
-- made the store (store/identity/hash-key.ts).
create table hash_key (
  one boolean not null primary key default true check (one),
  key bytea not null check (length(key) = 16),
  -- how many bits of the hash make keys; fewer than 56 in tests of resources whose ids share a hash
  key_bits smallint not null default 56 check (key_bits between 1 and 56)
);

-- The time zone of dates without one (decision D-29). One row: the stored ranges of dates rest on it.
create table time_zone (
  one boolean not null primary key default true check (one),
  name text not null
);
