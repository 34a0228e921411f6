-- Small segments are merged in the background into one partition of each search table (store/merge-segments.ts). Rows keep the
-- number of their segment, so that heads go on pointing to them: a merged partition is the one for several numbers.

-- The merged partitions that hold the segment's rows; null: partitions of its own.
alter table segment add column merged integer;
create sequence merged_partition as integer;

-- The merge under way, one at most. What is here when none is at work was broken off.
create table segment_merge (
  merged integer not null primary key,
  segments integer[] not null
);

-- Resources whose rows were changed since the merge began to copy them. Filled by triggers on the partitions that are copied.
create table segment_merge_change (
  key bigint not null
);

create function note_segment_change() returns trigger language plpgsql as $$
begin
  insert into segment_merge_change (key) values (coalesce(old.key, new.key));
  return null;
end
$$;
