import type { SearchParameterType } from "../fhir/search-parameters.ts";
import { emitDate, emitPeriod, emitTiming } from "./dates.ts";
import {
  emitMoney,
  emitNumber,
  emitNumberRange,
  emitPosition,
  emitQuantity,
  emitRange,
  emitSampledData,
} from "./quantities.ts";
import { emitCanonicalReference } from "./canonicals.ts";
import { emitReference, emitResourceReference } from "./references.ts";
import { emitAddress, emitCanonicalUri, emitHumanName, emitString, emitUri } from "./strings.ts";
import { emitCodeableConcept, emitCoding, emitContactPoint, emitIdentifier, emitPrimitiveToken } from "./tokens.ts";
import type { Emitter } from "./value-group.ts";

/** The emitter for elements of a FHIR type in parameters of a type. Throws on a pair that R4 does not have. */
export function emitterOf(parameterType: SearchParameterType, fhirType: string): Emitter {
  const emitter = EMITTERS[parameterType]?.[fhirType];
  if (emitter === undefined) throw new TypeError(`no ${parameterType} values are taken from a ${fhirType}`);
  return emitter;
}

const EMITTERS: Partial<Record<SearchParameterType, Record<string, Emitter>>> = {
  token: {
    CodeableConcept: emitCodeableConcept,
    Coding: emitCoding,
    Identifier: emitIdentifier,
    ContactPoint: emitContactPoint,
    code: emitPrimitiveToken,
    boolean: emitPrimitiveToken,
    id: emitPrimitiveToken,
    string: emitPrimitiveToken,
    uri: emitPrimitiveToken,
  },
  reference: {
    Reference: emitReference,
    canonical: emitCanonicalReference,
    uri: emitCanonicalReference,
    Resource: emitResourceReference,
  },
  date: { date: emitDate, dateTime: emitDate, instant: emitDate, Period: emitPeriod, Timing: emitTiming },
  string: {
    string: emitString,
    markdown: emitString,
    code: emitString,
    id: emitString,
    HumanName: emitHumanName,
    Address: emitAddress,
  },
  uri: { uri: emitUri, url: emitUri, oid: emitUri, uuid: emitUri, canonical: emitCanonicalUri },
  special: { BackboneElement: emitPosition },
  number: {
    decimal: emitNumber,
    integer: emitNumber,
    positiveInt: emitNumber,
    unsignedInt: emitNumber,
    Range: emitNumberRange,
  },
  quantity: {
    Quantity: emitQuantity,
    Age: emitQuantity,
    Duration: emitQuantity,
    Count: emitQuantity,
    Distance: emitQuantity,
    Money: emitMoney,
    Range: emitRange,
    SampledData: emitSampledData,
  },
};
