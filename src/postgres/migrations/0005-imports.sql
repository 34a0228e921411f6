-- Imports: one job per registration, its inputs, and its units (byte ranges). A unit row is the only truth about progress.

-- Ids start at the milliseconds since 1970 at which the database was made: no two databases write error logs of one name
-- into a storage account that they share (decision D-22).
create sequence import_job_id;
select setval('import_job_id', (extract(epoch from clock_timestamp()) * 1000)::bigint);

create table import_job (
  id bigint not null primary key,
  -- SHA-256 of the definition: the same registration is the same job, whatever its state (contract 2)
  definition_hash bytea not null unique,
  definition jsonb not null,
  request_url text not null,
  -- contract 2: 0 created, 1 running, 2 completed, 3 failed, 4 cancelled, 6 cancelled by user
  state smallint not null default 0,
  created_at timestamptz not null default clock_timestamp(),
  planned_at timestamptz,
  -- of all inputs; null until the job is planned
  bytes bigint,
  ended_at timestamptz,
  -- {status, code, text, input?}: why it failed, as the status endpoint says it
  failure jsonb,
  -- why lines were rejected, grouped for people (import/report/causes.ts); null until it is completed
  causes jsonb,
  -- the process that plans or finishes the job holds the lease; raised by every claim: a step with an older fence is refused
  lease_until timestamptz,
  fence bigint not null default 0
);

create table import_input (
  job bigint not null references import_job (id) on delete cascade,
  -- place in the request, from 1
  number integer not null,
  -- declared resource type
  type text,
  -- without a shared access signature (decision D-18)
  url text not null,
  -- as the client expects it
  etag text,
  -- as the source said when the job was planned; length is null until then
  source_etag text,
  length bigint,
  -- the written error log and the file of the rejected lines, when the input had any: a URL in the storage account, or
  -- a bare name, which this server answers from import_rejected_line
  error_log text,
  rejected_log text,
  primary key (job, number)
);

create table import_unit (
  id bigint generated always as identity primary key,
  job bigint not null references import_job (id) on delete cascade,
  input integer not null,
  -- the unit owns the lines that start in (start_offset, end_offset], the first unit also the one at 0 (contract 4.2)
  start_offset bigint not null,
  end_offset bigint not null,
  -- 0 created, 1 running, 2 completed, 3 failed, 4 cancelled
  state smallint not null default 0,
  lease_until timestamptz,
  -- raised by every claim: a commit with an older fence is refused
  fence bigint not null default 0,
  attempts integer not null default 0,
  -- checkpoint: the next byte to read, null before the first batch; lines seen up to there, blank ones included
  position bigint,
  lines bigint not null default 0,
  loaded bigint not null default 0,
  rejected bigint not null default 0,
  created bigint not null default 0,
  updated bigint not null default 0,
  unchanged bigint not null default 0,
  deleted bigint not null default 0,
  -- what it counts beside its sums (write/batch/unit-tally.ts): lines by resource type, references that lead nowhere
  tally jsonb
);
create index import_unit_job on import_unit (job, input, start_offset);
create index import_unit_open on import_unit (job, id) where state in (0, 1);

-- Rejected lines live here until their input's error log is written.
create table import_rejected_line (
  unit bigint not null references import_unit (id) on delete cascade,
  -- byte offset of the line in its file, its number counted from the unit's first line (1-based), and its length in bytes
  byte_offset bigint not null,
  line bigint not null,
  length integer not null,
  -- FHIR issue code, message (with {line} where the line number goes), element path
  code text not null,
  message text not null,
  expression text,
  primary key (unit, byte_offset)
);

-- What a running import must remember of its lines, so that its outcome does not depend on where its batches end
-- (write/versions/decide-resource.ts). Emptied of an import when it ends.

-- Lines that represent their date and were not written: unchanged, duplicate by version, or conflict.
create table import_pending_line (
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
create table import_line_position (
  job bigint not null,
  -- the blocks their bodies are in
  first_block bigint not null,
  last_block bigint not null,
  unit bigint not null,
  -- write/batch/line-places.ts
  positions bytea not null,
  primary key (job, first_block)
);
alter table import_line_position alter column positions set storage external;
