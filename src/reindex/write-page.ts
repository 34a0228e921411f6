import type { ClientBase } from "pg";
import { toBigInt } from "../base/hash.ts";
import { equalityValue, EqualityForm } from "../fhir/search-value.ts";
import type { ResourceValues } from "../index/collected-values.ts";
import { keyArray, lockHeads } from "../store/resources/heads.ts";
import { SegmentState } from "../store/segments/segments.ts";
import type { FoundResource } from "./read-page.ts";

/**
 * Adds values to the search rows of resources, in the client's open transaction; returns how many resources got some.
 * `parameters` are the ids of the definitions. Left alone are resources that were written since they were read, those in
 * segments that are not indexed yet (both were written by somebody who knew the definitions), and values that are there.
 */
export async function addSearchValues(
  client: ClientBase,
  parameters: readonly number[],
  found: readonly FoundResource[],
): Promise<number> {
  if (found.length === 0) return 0;
  // As every writer of a resource does, in key order: until the end of the transaction its rows are ours.
  const heads = await lockHeads(
    client,
    found.map(({ key }) => key),
  );
  const places = new Map(heads.map(({ key, searchRows }) => [key, searchRows]));
  const bySegment = new Map<number, FoundResource[]>();
  for (const resource of found) {
    const { segment, stamp } = resource.searchRows;
    const now = places.get(resource.key);
    if (now?.segment !== segment || now.stamp !== stamp) continue;
    const known = bySegment.get(segment);
    if (known === undefined) bySegment.set(segment, [resource]);
    else known.push(resource);
  }
  const indexed = await client.query<{ number: number }>(
    "select number from segment where number = any($1::int[]) and state = $2",
    [[...bySegment.keys()], SegmentState.indexed],
  );
  let changed = 0;
  for (const { number } of indexed.rows) {
    const rows = await missingRows(client, parameters, number, bySegment.get(number) ?? []);
    if (rows.length === 0) continue;
    await addRows(client, number, rows);
    changed += new Set(rows.map(({ key }) => key)).size;
  }
  return changed;
}

interface NewRows {
  key: bigint;
  stamp: number;
  values: ResourceValues;
}

/** Values of a parameter are written all together: a resource that has its `present` has all of them. */
async function missingRows(
  client: ClientBase,
  parameters: readonly number[],
  segment: number,
  resources: readonly FoundResource[],
): Promise<NewRows[]> {
  const present = parameters.map(presentValue);
  const { rows } = await client.query<{ key: string; stamp: number; has: string[] }>(
    `select key::text, stamp, array(select p::text from unnest($3::bigint[]) p where equality @> array[p]) as has
     from search_resource where segment = $1 and key = any($2::bigint[])`,
    [segment, keyArray(resources.map(({ key }) => key)), present],
  );
  const has = new Map(rows.map((row) => [`${row.key} ${row.stamp}`, new Set(row.has.map(BigInt))]));
  return resources.flatMap(({ key, searchRows: { stamp }, found }) => {
    const there = has.get(`${key} ${stamp}`);
    if (there === undefined) return [];
    return found
      .filter(({ place }) => !there.has(present[place] ?? 0n))
      .map(({ values }): NewRows => ({ key, stamp, values }));
  });
}

function presentValue(parameter: number): bigint {
  const out = { high: 0, low: 0 };
  equalityValue(parameter, EqualityForm.present, "", out);
  return toBigInt(out);
}

/** Through the parent tables: which partition has the rows changes when segments are merged. */
async function addRows(client: ClientBase, segment: number, rows: readonly NewRows[]): Promise<void> {
  const equality = flat(rows, ({ equality: values }) => values);
  await client.query(
    `update search_resource r set equality = r.equality || u.added
     from (select key, stamp, array_agg(value) as added from unnest($2::bigint[], $3::int[], $4::bigint[]) t (key, stamp, value)
           group by key, stamp) u
     where r.segment = $1 and r.key = u.key and r.stamp = u.stamp`,
    [segment, equality.keys, equality.stamps, equality.items],
  );
  const dates = flat(rows, (values) => values.dates);
  if (dates.items.length > 0) {
    await client.query(
      `insert into search_date (segment, stamp, key, low, high, qualifier, parameter)
       select $1, stamp, key, low, high, qualifier, parameter
       from unnest($2::bigint[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[], $7::int[])
         t (key, stamp, low, high, qualifier, parameter)`,
      [
        segment,
        dates.keys,
        dates.stamps,
        column(dates, "low"),
        column(dates, "high"),
        column(dates, "qualifier"),
        column(dates, "parameter"),
      ],
    );
  }
  const quantities = flat(rows, (values) => values.quantities);
  if (quantities.items.length > 0) {
    await client.query(
      `insert into search_quantity (segment, stamp, key, system, code, qualifier, parameter, low, high)
       select $1, stamp, key, system, code, qualifier, parameter, low, high
       from unnest($2::bigint[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[], $7::int[], $8::numeric[], $9::numeric[])
         t (key, stamp, system, code, qualifier, parameter, low, high)`,
      [
        segment,
        quantities.keys,
        quantities.stamps,
        column(quantities, "system"),
        column(quantities, "code"),
        column(quantities, "qualifier"),
        column(quantities, "parameter"),
        column(quantities, "low"),
        column(quantities, "high"),
      ],
    );
  }
  const strings = flat(rows, (values) => values.strings);
  if (strings.items.length > 0) {
    await client.query(
      `insert into search_string (segment, stamp, key, qualifier, parameter, value, folded)
       select $1, stamp, key, qualifier, parameter, value, folded
       from unnest($2::bigint[], $3::int[], $4::bigint[], $5::int[], $6::text[], $7::text[])
         t (key, stamp, qualifier, parameter, value, folded)`,
      [
        segment,
        strings.keys,
        strings.stamps,
        column(strings, "qualifier"),
        column(strings, "parameter"),
        column(strings, "value"),
        column(strings, "folded"),
      ],
    );
  }
}

interface Flat<Item> {
  keys: bigint[];
  stamps: number[];
  items: Item[];
}

/** One item per row to write, with the key and the stamp of its resource. */
function flat<Item>(rows: readonly NewRows[], itemsOf: (values: ResourceValues) => readonly Item[]): Flat<Item> {
  const result: Flat<Item> = { keys: [], stamps: [], items: [] };
  for (const { key, stamp, values } of rows) {
    for (const item of itemsOf(values)) {
      result.keys.push(key);
      result.stamps.push(stamp);
      result.items.push(item);
    }
  }
  return result;
}

function column<Item, Name extends keyof Item>({ items }: Flat<Item>, name: Name): Item[Name][] {
  return items.map((item) => item[name]);
}
