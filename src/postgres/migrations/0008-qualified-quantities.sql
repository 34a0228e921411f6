-- Quantities carry the code of their resource as their qualifier (fhir/qualified-quantities.ts), and the index of their values
-- begins with it, and goes on with the key. Rows that are there already have none, and searches find them without: nothing needs to be written anew.
do $$
declare
  partition record;
begin
  for partition in
    select quote_ident(child.relname) as name, quote_ident(child.relname || '_value') as index
    from pg_inherits join pg_class child on child.oid = inhrelid
    where inhparent = 'search_quantity'::regclass
      and exists (select from pg_indexes where tablename = child.relname and indexname = child.relname || '_value')
  loop
    execute format('drop index %s', partition.index);
    execute format('create index %s on %s (parameter, qualifier, code, key, low, high)', partition.index, partition.name);
  end loop;
end
$$;
