-- Resources: heads, versions that are no longer current, bodies, and the search structures of current versions.

-- One row per resource: small, always live, locked by every write of that resource.
-- key: type id in the top 8 bits, 56 bits of the hash of the id (fhir/resource-key.ts).
create table resource_current (
  key bigint not null primary key,
  id text collate "C" not null,
  -- null: nothing is current (only negative versions are stored)
  version_id integer,
  -- milliseconds since 1970 (contract 5.3)
  last_updated bigint not null,
  deleted boolean not null,
  -- where the current version's search rows are: partition, and the stamp they carry; null when deleted or not current
  segment integer,
  stamp integer,
  block bigint not null,
  block_offset integer not null,
  body_length integer not null,
  -- identity of the content without meta.versionId and meta.lastUpdated
  content_hash bigint not null,
  -- the import that wrote it, 0 for the API (decision D-02), and what the line said of its version:
  -- 0 nothing (bare), 1 lastUpdated, 2 lastUpdated and versionId
  import_job bigint not null,
  origin smallint not null
) with (fillfactor = 90);

-- Every version that is not current.
create table resource_history (
  key bigint not null,
  version_id integer not null,
  last_updated bigint not null,
  deleted boolean not null,
  block bigint not null,
  block_offset integer not null,
  body_length integer not null,
  content_hash bigint not null,
  import_job bigint not null,
  origin smallint not null,
  primary key (key, version_id)
);

-- Bodies: the lines' own bytes, some tens of kilobytes of them compressed together (raw deflate).
create table body_block (
  id bigint not null primary key,
  raw_length integer not null,
  bytes bytea not null
);
alter table body_block alter column bytes set storage external;
create sequence body_block_id increment by 1000;

-- Every version that is not current, in the order of a history. Current ones that are not deleted are in the indexes of
-- search_resource.
create index resource_history_last_updated on resource_history (last_updated, key, version_id);

-- The current versions that are deletions: they have no search rows. A table of its own because an index on
-- resource_current.last_updated, even a partial one, takes heap-only updates from resource_current, which cost a third more without.
create table deletion (
  last_updated bigint not null,
  key bigint not null,
  primary key (last_updated, key)
);

create function keep_deletion() returns trigger language plpgsql as $$
begin
  if tg_op <> 'INSERT' then
    if old.deleted then
      delete from deletion where last_updated = old.last_updated and key = old.key;
    end if;
  end if;
  if tg_op <> 'DELETE' then
    if new.deleted then
      insert into deletion (last_updated, key) values (new.last_updated, new.key);
    end if;
  end if;
  return null;
end
$$;

-- The conditions keep the function from being called for what has nothing to do with deletions: nearly all rows.
create trigger deletion_inserted after insert on resource_current for each row when (new.deleted) execute function keep_deletion();
create trigger deletion_updated after update on resource_current for each row when (old.deleted or new.deleted)
  execute function keep_deletion();
create trigger deletion_removed after delete on resource_current for each row when (old.deleted) execute function keep_deletion();

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
