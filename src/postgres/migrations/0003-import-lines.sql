-- What a running import must remember of its lines, so that its outcome does not depend on where its batches end
-- (import/decide-resource.ts). Emptied of an import when it ends.

-- Lines that represent their date and were not written: unchanged, duplicate by version, or conflict.
create table import_line (
  job bigint not null,
  key bigint not null,
  -- null for a bare line
  last_updated bigint,
  version_id integer,
  deleted boolean not null,
  content_hash bigint not null,
  -- 1 unchanged, 2 duplicate, 3 conflict
  outcome smallint not null,
  -- as in import_rejected_line; null for a bare line that was written at first
  unit bigint,
  byte_offset bigint,
  line bigint,
  length integer,
  -- the body, when the line may be written after all
  block bigint,
  block_offset integer,
  body_length integer,
  unique nulls not distinct (job, key, last_updated)
);

-- Where the written lines with a date came from, one row per batch: they may lose against a later line.
create table import_place (
  job bigint not null,
  -- the blocks their bodies are in
  first_block bigint not null,
  last_block bigint not null,
  unit bigint not null,
  -- import/line-places.ts
  places bytea not null,
  primary key (job, first_block)
);
alter table import_place alter column places set storage external;
