-- Search values of the current versions, in segments of about a million resources. Bulk segments are loaded without indexes,
-- which are then built by sorting: several times faster than maintaining them, and the rate does not fall as the store
-- grows. Everything else goes to a live segment, which has its indexes from the beginning. store/segments/segments.ts has the life
-- of a segment.
--
-- stamp tells the rows of one version of a resource from those of another one in the same segment.
create table search_resource (
  segment integer not null,
  stamp integer not null,
  key bigint not null,
  last_updated bigint not null,
  equality bigint[] not null
) partition by list (segment);

create table search_date (
  segment integer not null,
  stamp integer not null,
  key bigint not null,
  low bigint not null,
  high bigint not null,
  qualifier bigint not null,
  parameter integer not null
) partition by list (segment);

create table search_quantity (
  segment integer not null,
  stamp integer not null,
  key bigint not null,
  system bigint not null,
  code bigint not null,
  qualifier bigint not null,
  parameter integer not null,
  low numeric not null,
  high numeric not null
) partition by list (segment);

create table search_string (
  segment integer not null,
  stamp integer not null,
  key bigint not null,
  qualifier bigint not null,
  parameter integer not null,
  value text collate "C" not null,
  folded text collate "C" not null
) partition by list (segment);

-- Texts of tokens: the beginning of a text leads to the equality values of the resources that have it. A text stays here when
-- its resources are gone.
create table search_dictionary (
  parameter integer not null,
  value bigint not null,
  folded text collate "C" not null,
  primary key (parameter, value)
);
create index search_dictionary_folded on search_dictionary (parameter, left(folded, 64));

create table segment (
  number integer not null primary key,
  live boolean not null,
  -- 0 loading: rows are added, no indexes; 1 sealed: no rows are added, indexes are being built; 2 indexed
  state smallint not null,
  -- how many were written to it so far: a guide for when to open the next, not an exact count
  resources bigint not null default 0,
  -- the merged partitions that hold the segment's rows; null: partitions of its own
  merged integer
);

-- Rows of segments that are not indexed yet and whose resource has a newer version, or none: every search leaves them out,
-- and they are removed when the segment is indexed.
create table stale_row (
  segment integer not null,
  key bigint not null,
  stamp integer not null,
  primary key (key, segment, stamp)
);

-- Stamps come in runs of this many. They may repeat after two thousand million, far beyond any one segment.
create sequence row_stamp as integer increment by 65536 minvalue 0 start 0 maxvalue 2147418112 cycle;

-- Small segments are merged in the background into one partition of each search table (store/segments/merge-segments.ts). Rows keep the
-- number of their segment, so that resource_current still points to them: a merged partition is the one for several numbers.

create sequence merged_partition as integer;

-- The merge under way, one at most. A row that is here when no merge is at work belongs to one that was interrupted.
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
