import type { Pool } from "pg";

/**
 * The schema of a store as text, from PostgreSQL's catalogue: every sequence, table, column, constraint, index, function and
 * trigger, a line each, in alphabetical order. Two stores with the same schema have the same text, however they came to it.
 */
export async function schemaText(session: Pick<Pool, "query">): Promise<string> {
  const parts: string[] = [];
  for (const [title, sql] of Object.entries(PARTS)) {
    const { rows } = await session.query<{ line: string }>(sql);
    const lines = rows.map(({ line }) => line).toSorted();
    if (lines.length > 0) parts.push(`# ${title}\n\n${lines.join("\n")}\n`);
  }
  return parts.join("\n");
}

/** Of the schema that the migrations fill; catalogues and their indexes are elsewhere. */
const OURS = "relnamespace = 'public'::regnamespace";

/** One query for each kind of object; each row is a text. */
const PARTS: Readonly<Record<string, string>> = {
  Extensions: "select extname as line from pg_extension",
  Types: `select format('%s %s: %s', case typtype when 'e' then 'enum' else 'domain' end, typname,
      coalesce((select string_agg(enumlabel, ', ' order by enumsortorder) from pg_enum where enumtypid = pg_type.oid),
        format_type(typbasetype, typtypmod))) as line
    from pg_type where typnamespace = 'public'::regnamespace and typtype in ('e', 'd')`,
  Sequences: `select format('%s %s: from %s, minimum %s, maximum %s, step %s, cache %s%s', relname, format_type(seqtypid, null),
      seqstart, seqmin, seqmax, seqincrement, seqcache, case when seqcycle then ', cycle' else '' end) as line
    from pg_sequence join pg_class on pg_class.oid = seqrelid where ${OURS}`,
  Tables: `select format('%s%s%s%s%s', relname, case relpersistence when 'u' then ', unlogged' else '' end,
      coalesce(', partitioned by ' || pg_get_partkeydef(oid), ''),
      coalesce(', partition ' || pg_get_expr(relpartbound, oid), ''),
      coalesce(', with ' || array_to_string(reloptions, ', '), '')) as line
    from pg_class where ${OURS} and relkind in ('r', 'p', 'v', 'm')`,
  "Columns, in their order": `select format('%s %s: %s %s%s%s%s%s%s', relname, lpad(attnum::text, 2, '0'), attname,
      format_type(atttypid, atttypmod), case when attnotnull then ' not null' else '' end,
      case when attidentity <> '' then ' identity ' || attidentity::text else '' end,
      coalesce(case when attgenerated <> '' then ' generated ' else ' default ' end || pg_get_expr(adbin, adrelid), ''),
      case when attstorage <> typstorage then ' storage ' || attstorage::text else '' end,
      case when attcompression::text <> '' then ' compression ' || attcompression::text else '' end
        || case when attstattarget >= 0 then ' statistics ' || attstattarget::text else '' end) as line
    from pg_attribute
    join pg_class on pg_class.oid = attrelid
    join pg_type on pg_type.oid = atttypid
    left join pg_attrdef on adrelid = attrelid and adnum = attnum
    where ${OURS} and relkind in ('r', 'p', 'v', 'm') and attnum > 0 and not attisdropped`,
  Constraints: `select format('%s %s: %s', relname, conname, pg_get_constraintdef(pg_constraint.oid)) as line
    from pg_constraint join pg_class on pg_class.oid = conrelid where ${OURS} and contype <> 'n'`,
  Indexes: `select pg_get_indexdef(indexrelid) as line
    from pg_index join pg_class on pg_class.oid = indexrelid where ${OURS}`,
  "Statistics of several columns": `select pg_get_statisticsobjdef(oid) as line
    from pg_statistic_ext where stxnamespace = 'public'::regnamespace`,
  Triggers: `select pg_get_triggerdef(pg_trigger.oid) as line
    from pg_trigger join pg_class on pg_class.oid = tgrelid where ${OURS} and not tgisinternal`,
  Views: `select format('%s: %s', relname, pg_get_viewdef(oid)) as line
    from pg_class where ${OURS} and relkind in ('v', 'm')`,
  Functions: `select pg_get_functiondef(pg_proc.oid) as line
    from pg_proc where pronamespace = 'public'::regnamespace and prokind in ('f', 'p')
      and not exists (select from pg_depend where objid = pg_proc.oid and deptype = 'e')`,
};
