import type { TextPlace } from "../../criteria/criteria.ts";
import type { JsonValue } from "../../../base/json.ts";
import { eachStringValue } from "../../../fhir/json-strings.ts";
import { objectIn, textIn } from "../../../fhir/json-members.ts";
import { narrativeText } from "./narrative.ts";
import { foldText } from "../../criteria/words.ts";

/** The text of a stored body, as `foldText` gives it; values are apart from one another by a character no phrase has. */
export function textOfBody(body: Buffer, place: TextPlace): string {
  return place === "narrative" ? ownNarrative(body) : content(body);
}

function ownNarrative(body: Buffer): string {
  // Most resources have none: they need not be parsed to know it.
  if (!body.includes('"div"') && !body.includes("\\u")) return "";
  const resource = objectIn(JSON.parse(body.toString("utf8")) as JsonValue);
  return foldText(narrativeText(textIn(objectIn(resource?.["text"])?.["div"]) ?? ""));
}

function content(body: Buffer): string {
  const texts: string[] = [];
  eachStringValue(body, (name, start, end) => {
    if (NO_TEXT.has(name) || name.endsWith("Base64Binary")) return;
    const raw = body.toString("utf8", start + 1, end - 1);
    const text = raw.includes("\\") ? (JSON.parse(`"${raw}"`) as string) : raw;
    texts.push(foldText(name === "div" ? narrativeText(text) : text));
  });
  return texts.join("\n");
}

/**
 * Members that are base64 (`data` of attachments, signatures and Binary), measured samples (`data` of SampledData), what says
 * which type it is, and what the server says itself: `structure.json` has no other elements of these names that are texts.
 */
const NO_TEXT: ReadonlySet<string> = new Set([
  "data",
  "hash",
  "query",
  "carrierAIDC",
  "resourceType",
  "versionId",
  "lastUpdated",
]);
