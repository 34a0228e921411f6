import { describe, expect, it } from "vitest";
import { conditionName } from "./interactions.ts";

describe("criteria of conditional interactions", () => {
  it.each([
    "identifier=s%7C1&active=true",
    "active=true&identifier=s|1",
    "active=true&_sort=_id&identifier=s|1&_count=5",
    "active=true&identifier=s|1&_include=Patient:organization&_format=json",
  ])("%s wait for the same, in whatever spelling and order", (criteria) => {
    expect(conditionName("Patient", criteria)).toBe(conditionName("Patient", "active=true&identifier=s|1"));
  });

  it.each(["active=true", "active=true&identifier=s|2", "active=true&identifier=s|1&_id=a"])(
    "%s are others",
    (criteria) => {
      expect(conditionName("Patient", criteria)).not.toBe(conditionName("Patient", "active=true&identifier=s|1"));
    },
  );
});
