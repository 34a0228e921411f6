import { hash } from "node:crypto";
import type { SearchParameterLookup } from "../../fhir/custom-search-parameters.ts";
import { shapeOf } from "../../search/projection/read-shape.ts";
import { shaped } from "../../search/projection/shape.ts";
import type { WriteContext } from "../../write/interactions/interactions.ts";
import { capabilityStatement } from "./capability-statement.ts";

/** The CapabilityStatement of this moment. */
export interface Metadata {
  bytes: Buffer;
  /** Stands for these bytes: what an ETag says, without its quotes. */
  tag: string;
}

/** Makes the CapabilityStatement when it is asked for, and anew when its base or the search parameters have changed. */
export function openMetadata(version: string, reading: WriteContext): () => Promise<Metadata> {
  let made: (Metadata & { baseUrl: string; lookup: SearchParameterLookup }) | undefined;
  return async () => {
    const { baseUrl, conditionalDeletes } = reading;
    const lookup = await reading.searchParameters.current();
    if (made?.baseUrl !== baseUrl || made.lookup !== lookup) {
      const bytes = Buffer.from(JSON.stringify(capabilityStatement({ version, baseUrl, lookup, conditionalDeletes })));
      made = { baseUrl, lookup, bytes, tag: hash("sha1", bytes, "hex").slice(0, 16) };
    }
    return made;
  };
}

/** The statement as `_summary` or `_elements` of a query shorten it. Throws `bad-request`. */
export function shapedStatement(bytes: Buffer, parameters: readonly (readonly [string, string])[]): Buffer {
  const shape = shapeOf("CapabilityStatement", parameters);
  if (shape === undefined) return bytes;
  const whole = Buffer.from(bytes.toString().replace("{", '{"meta":{},')); // the place of the tag SUBSETTED
  const short = shaped(whole, "CapabilityStatement", shape);
  return short === whole ? bytes : short;
}
