-- Exports: one job per kick-off, the folders that were written for it, and the files of the finished ones.

create sequence export_job_id;
-- As for imports: no two databases use one name in a storage account, or a folder, that they share.
select setval('export_job_id', (extract(epoch from clock_timestamp()) * 1000)::bigint);

-- A row goes away when the client deletes the export, or a week after its end.
create table export_job (
  id bigint not null primary key default nextval('export_job_id'),
  definition jsonb not null,
  request_url text not null,
  -- 0 created or running, 2 completed, 3 failed (numbers as in import_job)
  state smallint not null default 0,
  created_at timestamptz not null default clock_timestamp(),
  -- the manifest's instant: all that was committed before is in the files
  transaction_time timestamptz,
  ended_at timestamptz,
  -- {status, code, text}: why it failed
  failure jsonb,
  -- resources written so far
  resources bigint not null default 0,
  -- the process that runs the job holds the lease; raised by every claim: a step with an older fence is refused
  lease_until timestamptz,
  fence bigint not null default 0
);
create index export_job_open on export_job (id) where state = 0;

-- Every folder that was begun, so that none is left behind: without foreign key, it outlives the job until it is removed.
create table export_folder (
  job bigint not null,
  fence bigint not null,
  -- who can reach it: a folder of a machine, or a container of a storage account
  place text not null,
  name text not null,
  -- as long as the runner may still be writing
  lease_until timestamptz,
  primary key (job, fence)
);

create table export_file (
  job bigint not null references export_job (id) on delete cascade,
  -- output, deleted
  kind text not null,
  name text not null,
  type text not null,
  resources bigint not null,
  bytes bigint not null,
  -- in the storage account; null for a file of this server
  url text,
  primary key (job, name)
);
