-- Search parameters of one's own: what the stored SearchParameter resources define, and the operation that indexes what was
-- stored before they were.

-- R4's own parameters have the ids below 10000. A definition that changes gets a new id: values under the old one are never
-- asked for again.
create sequence search_parameter_id as integer start 10001;

create table search_parameter (
  id integer not null primary key,
  -- the SearchParameter resource
  resource_id text collate "C" not null unique,
  -- {url, code, type, base, target, expression}
  definition jsonb not null,
  -- by resource type, the elements that the expression selects (fhir/extraction-tree.ts)
  trees jsonb not null,
  -- false until everything that was stored before the definition is indexed by it
  enabled boolean not null default false
);

-- One row. Raised with every change of the table above; changes of what is defined hold the lock of change_search_parameters.
create table search_parameter_generation (generation integer not null);
insert into search_parameter_generation values (0);

-- Called by every transaction that writes search values, before it writes: keeps the definitions as they are until it ends,
-- and refuses it when it does not know them all. So everything that is written after a definition is indexed by it.
create procedure hold_search_parameters(known integer) language plpgsql as $$
begin
  perform pg_advisory_xact_lock_shared(356379, 0);
  -- A statement of its own: its snapshot must be taken when the lock is held.
  if known <> (select generation from search_parameter_generation) then
    raise exception 'the search parameters have changed' using errcode = 'SP001';
  end if;
end
$$;

-- Called by a transaction that changes definitions: waits for all that hold them. `known` may be null.
create procedure change_search_parameters(known integer) language plpgsql as $$
begin
  perform pg_advisory_xact_lock(356379, 0);
  if known <> (select generation from search_parameter_generation) then
    raise exception 'the search parameters have changed' using errcode = 'SP001';
  end if;
end
$$;

-- $reindex. A row is the only truth about its progress.
create table reindex_job (
  id bigint generated always as identity primary key,
  -- 0 running, 1 completed, 2 failed, 3 cancelled
  state smallint not null default 0,
  created_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  -- whoever works on it holds the lease; raised by every claim: a checkpoint with an older fence is refused
  lease_until timestamptz,
  fence integer not null default 0,
  -- claims since the last progress
  attempts integer not null default 0,
  -- ids of the parameters that it is at, and the SearchParameter resources of all that it was ever about
  parameters integer[] not null,
  names text[] not null,
  -- parameters were defined while it ran, and it was asked for again: it goes on with them when it is through
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
