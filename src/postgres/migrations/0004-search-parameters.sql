-- Custom search parameters: what the stored SearchParameter resources define, and the operation that indexes what was
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
