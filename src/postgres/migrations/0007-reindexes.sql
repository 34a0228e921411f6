-- $reindex. A row is the only truth about its progress.
create table reindex_job (
  id bigint generated always as identity primary key,
  -- 0 running, 1 completed, 2 failed, 3 cancelled
  state smallint not null default 0,
  created_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  -- the process that works on it holds the lease; raised by every claim: a checkpoint with an older fence is refused
  lease_until timestamptz,
  fence integer not null default 0,
  -- claims since the last progress
  attempts integer not null default 0,
  -- ids of the parameters that it is at, and the SearchParameter resources of all that it was ever about
  parameters integer[] not null,
  names text[] not null,
  -- parameters were defined while it ran, and it was asked for again: it continues with them when it is through
  again boolean not null default false,
  -- segments that were loaded without indexes are indexed first
  segments_ready boolean not null default false,
  -- the last key that is done; null at the beginning
  last_key bigint,
  -- resources read, resources that values were added to, and how many there are to read
  resources bigint not null default 0,
  changed bigint not null default 0,
  total bigint not null default 0,
  failure text
);
create unique index reindex_job_running on reindex_job (state) where state = 0;
