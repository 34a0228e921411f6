import { fromBigInt, toBigInt, type Int64Halves } from "../../base/hash.ts";
import { canonicalConstantOf, canonicalKeyOf } from "../../fhir/canonical-value.ts";
import { foldCode } from "../../fhir/fold-text.ts";
import { resourceKey } from "../../fhir/resource-key.ts";
import { resourceTypeId } from "../../fhir/resource-types.ts";
import {
  absoluteReferenceConstant,
  compositeValue,
  EqualityForm,
  equalityValue,
  referenceValue,
  unitValue,
} from "../../fhir/search-value.ts";
import { storedElements } from "../../fhir/parameter-elements.ts";
import { codeOf, tokenCases } from "../../fhir/token-case.ts";
import type { CanonicalValue, ReferenceValue, TokenValue } from "../criteria/criteria.ts";

/** The equality value of (parameter, form, text), as stored. */
export function equalityOf(parameter: number, form: EqualityForm, text: string): bigint {
  const out = halves();
  equalityValue(parameter, form, text, out);
  return toBigInt(out);
}

/** The equality values of which one is stored when a reference has this value. */
export function referenceEqualities(parameter: number, value: ReferenceValue): bigint[] {
  const typed = value.targets.map(({ type, id }) => {
    const target = halves();
    resourceKey(resourceTypeId(type) ?? 0, id, target);
    const out = halves();
    referenceValue(parameter, target, out);
    return toBigInt(out);
  });
  return [
    ...typed,
    ...value.texts.flatMap((text) => textEqualities(parameter, text)),
    ...(value.canonicals ?? []).flatMap((canonical) => canonicalEqualities(parameter, canonical)),
  ];
}

/** A canonical without a version is found with any version; none where a parameter does not refer by canonicals. */
function canonicalEqualities(parameter: number, { url, version }: CanonicalValue): bigint[] {
  const elements = storedElements(parameter);
  if (elements?.every(({ type }) => type === "Reference" || type === "Resource") === true) return [];
  if (version !== undefined) return [canonicalKeyOf(`${url}|${version}`) ^ canonicalConstantOf(parameter, "versioned")];
  const key = canonicalKeyOf(url);
  return (["unversioned", "url of versioned"] as const).map((link) => key ^ canonicalConstantOf(parameter, link));
}

/** A URL of a resource is stored by its base and the resource's key, or, where it is a canonical, as text. */
export function textEqualities(parameter: number, text: string): bigint[] {
  const written = equalityOf(parameter, EqualityForm.referenceText, text);
  const [, base, type = "", id = ""] = RESOURCE_URL.exec(text) ?? [];
  const typeId = resourceTypeId(type);
  if (base === undefined || typeId === undefined) return [written];
  const target = halves();
  resourceKey(typeId, id, target);
  return [written, toBigInt(target) ^ absoluteConstantOf(parameter, base)];
}

/** The constant of references that are written as URLs below a base. */
export function absoluteConstantOf(parameter: number, base: string): bigint {
  const out = halves();
  absoluteReferenceConstant(parameter, base, out);
  return toBigInt(out);
}

const RESOURCE_URL = /^(.+)\/([A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})$/s;

/** The four forms of a token: of an element's own codings, or of a reference's identifier. */
export interface TokenForms {
  code: EqualityForm;
  systemCode: EqualityForm;
  system: EqualityForm;
  noSystemCode: EqualityForm;
}

/** An element's own codes. */
const TOKEN_FORMS: TokenForms = EqualityForm;

/** `Reference.identifier`. */
export const IDENTIFIER_FORMS: TokenForms = {
  code: EqualityForm.identifierCode,
  systemCode: EqualityForm.identifierSystemCode,
  system: EqualityForm.identifierSystem,
  noSystemCode: EqualityForm.identifierNoSystemCode,
};

/** The equality values of which one is stored when an element has this token (contract 10.6). */
export function tokenEqualities(parameter: number, { system, code }: TokenValue): bigint[] {
  if (system !== undefined && system !== "") {
    const compared = code === undefined ? undefined : codeOf(system, code);
    return [tokenEquality(parameter, TOKEN_FORMS, { system, code: compared })];
  }
  return tokenCases(parameter).map((stored) =>
    stored === "written"
      ? tokenEquality(parameter, TOKEN_FORMS, { system, code })
      : equalityOf(parameter, EqualityForm.caselessCode, foldCode(code ?? "")),
  );
}

/** The equality value that is stored when a token has this value, as it is written. */
export function tokenEquality(
  parameter: number,
  forms: TokenForms,
  { system, code }: { system?: string | undefined; code?: string | undefined },
): bigint {
  if (system === undefined) return equalityOf(parameter, forms.code, code ?? "");
  if (code === undefined) return equalityOf(parameter, forms.system, system);
  if (system === "") return equalityOf(parameter, forms.noSystemCode, code);
  return equalityOf(parameter, forms.systemCode, `${system}|${code}`);
}

/** The equality values of the pairs of a composite's two components. */
export function compositeEqualities(composite: number, first: readonly bigint[], second: readonly bigint[]): bigint[] {
  return first.flatMap((a) =>
    second.map((b) => {
      const out = halves();
      compositeValue(composite, fromBigInt(a), fromBigInt(b), out);
      return toBigInt(out);
    }),
  );
}

/** The stored value of a quantity's unit system or unit code. */
export function unitOf(text: string): bigint {
  const out = halves();
  unitValue(text, out);
  return toBigInt(out);
}

function halves(): Int64Halves {
  return { high: 0, low: 0 };
}
