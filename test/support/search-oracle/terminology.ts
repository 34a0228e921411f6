import { HIERARCHY, LISTED } from "./operands.ts";
import type { Stored } from "./world.ts";

/** The value set and the code system that questions name. */
export const TERMINOLOGY: readonly Stored[] = [
  {
    resourceType: "ValueSet",
    id: "listed",
    status: "active",
    url: LISTED.url,
    compose: {
      include: LISTED.members.map((member) => {
        const { system, code } = member as { system?: string; code?: string };
        return code === undefined ? { system } : { system, concept: [{ code }] };
      }),
    },
  },
  {
    resourceType: "CodeSystem",
    id: "hierarchy",
    status: "active",
    content: "complete",
    url: HIERARCHY.system,
    concept: HIERARCHY.codes.reduceRight<object[]>((inner, code) => [{ code, concept: inner }], []),
  },
];
