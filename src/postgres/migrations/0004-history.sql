-- Histories of types and of the system: newest first, by (last_updated, key, version_id).

-- Every version that is not current, in the order of a history. Current ones that are not deleted are in the indexes of
-- search_resource.
create index version_last_updated on version (last_updated, key, version_id);

-- The current versions that are deletions: they have no search rows. A table of its own because an index on
-- head.last_updated, even a partial one, takes heap-only updates from head, which cost a third more without.
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
create trigger deletion_inserted after insert on head for each row when (new.deleted) execute function keep_deletion();
create trigger deletion_updated after update on head for each row when (old.deleted or new.deleted)
  execute function keep_deletion();
create trigger deletion_removed after delete on head for each row when (old.deleted) execute function keep_deletion();

insert into deletion (last_updated, key) select last_updated, key from head where deleted;
