-- Resources whose keys are not made of the hash of their ids, because another resource of the type had that key first. Their number
-- is that of pairs of ids with one hash: next to none. Rows are never changed or removed.
create table displaced_id (
  -- the key of the hash, and the one that the resource has instead
  hashed bigint not null,
  id text collate "C" not null,
  key bigint not null unique,
  -- of search_parameter_generation when it was added: like a definition, it changes which values are written
  generation integer not null,
  primary key (hashed, id)
);
create index displaced_id_generation on displaced_id (generation);

-- The key of a resource by the key of its id's hash, whatever the caller knows of displaced ids.
create function stored_key(hashed_key bigint, of_id text) returns bigint language sql stable parallel safe as $$
  select coalesce((select d.key from displaced_id d where d.hashed = hashed_key and d.id = of_id), hashed_key)
$$;

-- How many bits of the hash make keys; fewer than 56 in tests of resources whose ids share a hash.
alter table hash_key add key_bits smallint not null default 56 check (key_bits between 1 and 56);
