/**
 * Texts that try to make a server take far more memory than they have bytes: each is made to a size, and each differs from the
 * others in what it is made of. Whether one is accepted or refused is not said here.
 */

/** A text of about so many bytes, as one line. */
export type Bomb = (bytes: number) => string;

/** Items of a list until there are so many bytes; no two need to be the same. */
function list(bytes: number, item: (number: number) => string): string {
  const items: string[] = [];
  for (let number = 0, length = 0; length < bytes; number++) {
    const text = item(number);
    items.push(text);
    length += text.length + 1;
  }
  return items.join(",");
}

/** A short text that no other number has. */
const short = (number: number): string => (number + 46_656).toString(36);

const patient = (members: string): string => `{"resourceType":"Patient","id":"bomb",${members}}`;
const observation = (members: string): string =>
  `{"resourceType":"Observation","id":"bomb","status":"final","code":{"text":"x"},${members}}`;

/** Bombs that are a resource, or look like one. */
export const RESOURCE_BOMBS: Readonly<Record<string, Bomb>> = {
  "levels of arrays": (bytes) => patient(`"name":${"[".repeat(bytes / 2)}${"]".repeat(bytes / 2)}`),
  "levels of objects": (bytes) => patient(`"name":${'{"a":'.repeat(bytes / 6)}1${"}".repeat(bytes / 6)}`),
  "levels without an end": (bytes) => patient(`"name":${"[".repeat(bytes)}`),
  "levels, again and again": (bytes) => patient(`"name":[${list(bytes, () => "[".repeat(120) + "]".repeat(120))}]`),
  "empty objects": (bytes) => patient(`"name":[${list(bytes, () => "{}")}]`),
  "empty objects, as many as allowed": (bytes) =>
    patient(
      `"name":[${list(Math.min(bytes, 3_000_000), () => "{}")}],"language":"${" ".repeat(Math.max(0, bytes - 3_000_000))}"`,
    ),
  "empty arrays": (bytes) => patient(`"name":[${list(bytes, () => "[]")}]`),
  nulls: (bytes) => patient(`"name":[{"given":[${list(bytes, () => "null")}]}]`),
  members: (bytes) => patient(list(bytes, (number) => `"${short(number)}":1`)),
  "members with long names": (bytes) => patient(list(bytes, (number) => `"member-${short(number)}":1`)),
  "one member again and again": (bytes) => patient(list(bytes, () => `"active":true`)),
  "objects of different shapes": (bytes) => patient(`"name":[${list(bytes, (number) => `{"${short(number)}":1}`)}]`),
  "objects of different shapes, as many as allowed": (bytes) =>
    patient(`"name":[${list(Math.min(bytes, 8_000_000), (number) => `{"${short(number)}":1}`)}]`),
  numbers: (bytes) => patient(`"name":[${list(bytes, () => "1.5")}]`),
  "numbers among objects": (bytes) => patient(`"name":[{},${list(bytes, () => "1.5")}]`),
  "one long number": (bytes) => observation(`"valueQuantity":{"value":1.${"1".repeat(bytes)}}`),
  "one long exponent": (bytes) => observation(`"valueQuantity":{"value":1e${"0".repeat(bytes)}1}`),
  "numbers with large exponents": (bytes) =>
    observation(
      `"component":[${list(bytes, (number) => `{"valueQuantity":{"value":${(number % 90_000) + 10_001}e-4000}}`)}]`,
    ),
  "numbers with many digits": (bytes) =>
    observation(
      `"component":[${list(bytes, (number) => `{"valueQuantity":{"value":0.${"1234567890".repeat(4)}${number}}}`)}]`,
    ),
  "numbers of 4,000 digits": (bytes) =>
    observation(
      `"component":[${list(bytes, (number) => `{"valueQuantity":{"value":${number}.${"1".repeat(4000)}}}`)}]`,
    ),
  "given names": (bytes) => patient(`"name":[{"given":[${list(bytes, (number) => `"${short(number)}"`)}]}]`),
  "given names of two letters": (bytes) =>
    patient(`"name":[{"given":[${list(bytes, (number) => `"${(number % 1296).toString(36)}"`)}]}]`),
  "one long name": (bytes) => patient(`"name":[{"family":"${"x".repeat(bytes)}"}]`),
  "one long name of two-byte letters": (bytes) => patient(`"name":[{"family":"${"ж".repeat(bytes / 2)}"}]`),
  "a long text with one letter beyond Latin-1": (bytes) => patient(`"name":[{"family":"${"x".repeat(bytes)}ж"}]`),
  "names of 1 MB": (bytes) =>
    patient(`"name":[${list(bytes, (number) => `{"text":"${number}${"é".repeat(500_000)}"}`)}]`),
  escapes: (bytes) => patient(`"name":[{"family":"${"\\u0041".repeat(bytes / 6)}"}]`),
  "escaped line ends": (bytes) => patient(`"name":[{"family":"${"\\n".repeat(bytes / 2)}"}]`),
  "surrogate pairs": (bytes) => patient(`"name":[{"family":"${"\\ud83d\\ude00".repeat(bytes / 12)}"}]`),
  "surrogate pairs as bytes": (bytes) => patient(`"name":[{"family":"${"😀".repeat(bytes / 4)}"}]`),
  "letters that decompose": (bytes) => patient(`"name":[{"family":"${"ǖ".repeat(bytes / 2)}"}]`),
  "letters that become eighteen": (bytes) => patient(`"name":[{"family":"${"ﷺ".repeat(bytes / 3)}"}]`),
  backslashes: (bytes) => patient(`"name":[{"family":"${"\\\\".repeat(bytes / 2)}"}]`),
  identifiers: (bytes) =>
    patient(
      `"identifier":[${list(bytes, (number) => `{"system":"urn:${short(number)}","value":"${short(number)}"}`)}]`,
    ),
  "codings with texts": (bytes) =>
    observation(
      `"category":[${list(bytes, (number) => `{"coding":[{"system":"urn:x","code":"${short(number)}","display":"${short(number)}"}]}`)}]`,
    ),
  "texts of concepts": (bytes) => observation(`"category":[${list(bytes, (number) => `{"text":"${short(number)}"}`)}]`),
  references: (bytes) =>
    observation(`"hasMember":[${list(bytes, (number) => `{"reference":"Observation/${short(number)}"}`)}]`),
  "references by URL": (bytes) =>
    observation(`"hasMember":[${list(bytes, (number) => `{"reference":"http://x/${short(number)}"}`)}]`),
  "members of a group": (bytes) =>
    `{"resourceType":"Group","id":"bomb","type":"person","actual":true,"member":[${list(
      bytes,
      (number) => `{"entity":{"reference":"Patient/${short(number)}"}}`,
    )}]}`,
  dates: (bytes) =>
    `{"resourceType":"ServiceRequest","id":"bomb","status":"active","intent":"order","subject":{"reference":"Patient/1"},"occurrenceTiming":{"event":[${list(
      bytes,
      (number) => `"${1000 + (number % 8999)}-0${1 + (number % 9)}"`,
    )}]}}`,
  quantities: (bytes) =>
    observation(
      `"component":[${list(bytes, (number) => `{"code":{"text":"x"},"valueQuantity":{"value":${number},"code":"mg"}}`)}]`,
    ),
  "quantities with codes": (bytes) =>
    observation(
      `"component":[{"code":{"coding":[${list(bytes / 2, (number) => `{"code":"${short(number)}"}`)}]},"valueQuantity":{"value":1,"code":"mg"}},${list(
        bytes / 2,
        (number) => `{"valueQuantity":{"value":${number},"code":"mg"}}`,
      )}]`,
    ),
  "one component with many codes": (bytes) =>
    observation(
      `"component":[${list(bytes, (at) => `{"code":{"coding":[${Array.from({ length: 100 }, (_, number) => `{"code":"${short(at * 100 + number)}"}`).join()}]},"valueCodeableConcept":{"coding":[${Array.from({ length: 100 }, (_, number) => `{"code":"${short(at * 100 + number)}"}`).join()}]}}`)}]`,
    ),
  extensions: (bytes) => patient(`"extension":[${list(bytes, () => '{"url":"a","valueCode":"b"}')}]`),
  "nested extensions": (bytes) =>
    patient(
      `"extension":[${list(bytes, () => `${'{"url":"a","extension":['.repeat(50)}{"url":"b","valueCode":"c"}${"]}".repeat(50)}`)}]`,
    ),
  "contained resources": (bytes) =>
    patient(
      `"contained":[${list(bytes, (number) => `{"resourceType":"Organization","id":"${short(number)}","name":"${short(number)}"}`)}]`,
    ),
  "contained resources with references to them": (bytes) =>
    observation(
      `"contained":[${list(bytes / 2, (number) => `{"resourceType":"Practitioner","id":"${short(number)}","name":[{"family":"${short(number)}"}]}`)}],"performer":[${list(
        bytes / 3,
        (number) => `{"reference":"#${short(number)}"}`,
      )}]`,
    ),
  "references to one contained resource": (bytes) =>
    observation(
      `"contained":[{"resourceType":"Practitioner","id":"p","identifier":[${list(bytes / 2, (number) => `{"value":"${short(number)}"}`)}]}],"performer":[${list(
        bytes / 2,
        () => '{"reference":"#p"}',
      )}]`,
    ),
  "concepts of a code system": (bytes) =>
    `{"resourceType":"CodeSystem","id":"bomb","status":"active","content":"complete","concept":[${list(bytes, (number) => `{"code":"${short(number)}"}`)}]}`,
  "white space": (bytes) => patient(`"active":${" ".repeat(bytes)}true`),
  "entries of a Bundle": (bytes) =>
    `{"resourceType":"Bundle","id":"bomb","type":"collection","entry":[${list(bytes, (number) => `{"resource":{"resourceType":"Basic","id":"${short(number)}"}}`)}]}`,
  "parts of Parameters": (bytes) =>
    `{"resourceType":"Parameters","id":"bomb","parameter":[${list(bytes, () => '{"name":"a","part":[{"name":"b"}]}')}]}`,
};
