import type { JsonObject, JsonValue } from "../../base/json.ts";
import { isCustom } from "../../fhir/custom-search-parameters.ts";
import { storedParameters } from "../../fhir/derived-parameters.ts";
import { readExtractionTrees, type ParameterOfElement, type TreeNode } from "../../fhir/extraction-tree.ts";
import { resourceTypeName } from "../../fhir/resource-types.ts";
import type { SearchParameter } from "../../fhir/search-parameters.ts";
import { readReference, type ReferenceText } from "../../index/reference-text.ts";
import { objectIn, objectsIn, textIn } from "../../fhir/json-members.ts";
import { visit } from "../execute/body-values.ts";

/** What a reference element refers to, as its text says. */
export type BodyReference =
  /** A resource of this server, or one version of it. */
  | { kind: "resource"; type: string; id: string; version: string | undefined }
  /** What has this canonical URL, or this one and this version. */
  | { kind: "canonical"; url: string; version: string | undefined };

/**
 * What the reference parameters of a resource's type refer to, read from the resource itself: the store knows the targets of
 * current versions, but not which versions of these are meant.
 */
export function referencesIn(
  resource: JsonObject,
  type: string,
  parameter: SearchParameter,
  baseUrl: string,
): BodyReference[] {
  const stored = storedParameters(parameter, [type]);
  const found: BodyReference[] = [];
  const tree: readonly TreeNode[] = isCustom(parameter) ? (parameter.trees[type] ?? []) : treeOf(type);
  for (const node of tree) {
    visit(node, resource, (at, value) => {
      for (const { as, parameters } of at.values ?? []) {
        if (as !== "reference") continue;
        for (const row of parameters) {
          for (const { parameter: id, targetType } of stored) {
            if (row.id === id) found.push(...referenceAt(value, row, targetType, baseUrl, resource));
          }
        }
      }
    });
  }
  return found;
}

let trees: ReturnType<typeof readExtractionTrees> | undefined;

function treeOf(type: string): readonly TreeNode[] {
  return (trees ??= readExtractionTrees())[type] ?? [];
}

function referenceAt(
  value: JsonValue,
  { refersTo, onlyTarget, targets }: ParameterOfElement,
  targetType: string | undefined,
  baseUrl: string,
  resource: JsonObject,
): BodyReference[] {
  const element = objectIn(value);
  const written = element === undefined ? textIn(value) : writtenIn(element);
  if (written === undefined) return [];
  const read: ReferenceText = { text: "", type: "", typeId: 0, base: "", idAtBase: "", id: "", version: "" };
  const [url = "", version] = element === undefined ? splitVersion(written) : [written];
  readReference(url.startsWith(`${baseUrl}/`) ? url.slice(baseUrl.length + 1) : url, read);
  const told = read.typeId === 0 ? (textIn(element?.["type"]) ?? onlyTarget ?? "") : resourceTypeName(read.typeId);
  if (read.id !== "" && told !== "") {
    const isMeant = [refersTo, targetType].every((each) => each === undefined || each === told);
    if (!isMeant || targets?.includes(told) === false || isContained(read.text, resource)) return [];
    return [{ kind: "resource", type: told, id: read.id, version: read.version === "" ? undefined : read.version }];
  }
  return element === undefined ? [{ kind: "canonical", url, version }] : [];
}

/** The text of a Reference, or that of an element that is a resource itself. */
function writtenIn(element: JsonObject): string | undefined {
  const type = textIn(element["resourceType"]);
  return type === undefined ? textIn(element["reference"]) : `${type}/${textIn(element["id"]) ?? ""}`;
}

function isContained(text: string, resource: JsonObject): boolean {
  return text.startsWith("#") && objectsIn(resource["contained"]).length > 0;
}

function splitVersion(canonical: string): [string, string | undefined] {
  const bar = canonical.indexOf("|");
  return bar > 0 ? [canonical.slice(0, bar), canonical.slice(bar + 1) || undefined] : [canonical, undefined];
}
