-- Resources: heads, versions that are no longer current, bodies, and the search structures of current versions.

-- One row per resource: small, always live, locked by every write of that resource.
-- key: type id in the top 8 bits, 56 bits of the hash of the id (fhir/resource-key.ts).
create table head (
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
create table version (
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
create table block (
  id bigint not null primary key,
  raw_length integer not null,
  bytes bytea not null
);
alter table block alter column bytes set storage external;
create sequence block_id increment by 1000;

-- Search values of the current versions, in segments of about a million resources. Bulk segments are loaded without indexes,
-- which are then built by sorting: several times faster than maintaining them, and the rate does not fall as the store
-- grows. Everything else goes to a live segment, which has its indexes from the beginning. store/segments.ts has the life
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
create table search_term (
  parameter integer not null,
  value bigint not null,
  folded text collate "C" not null,
  primary key (parameter, value)
);
create index search_term_folded on search_term (parameter, left(folded, 64));

create table segment (
  number integer not null primary key,
  live boolean not null,
  -- 0 loading: rows are added, no indexes; 1 sealed: no rows are added, indexes are being built; 2 indexed
  state smallint not null,
  -- how many were written to it so far: a guide for when to open the next, not an exact count
  resources bigint not null default 0
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
