import type { Operand } from "./values.ts";
import type { Criterion } from "./world.ts";

/** A criterion as a query has it, encoded: `subject:Patient.name=x`. */
export function written(criterion: Criterion): string {
  const [name, value] = parts(criterion);
  return `${encodeURIComponent(name)}=${encodeURIComponent(value)}`;
}

/** Name and value, with FHIR's escapes, not encoded. */
function parts(criterion: Criterion): readonly [string, string] {
  switch (criterion.kind) {
    case "ids":
      return [criterion.negated === true ? "_id:not" : "_id", criterion.ids.join(",")];
    case "list":
      return ["_list", criterion.ids.join(",")];
    case "missing":
      return [`${criterion.code}:missing`, String(criterion.missing)];
    case "chain": {
      const [name, value] = parts(criterion.rest);
      return [`${criterion.code}${criterion.type === undefined ? "" : `:${criterion.type}`}.${name}`, value];
    }
    case "has": {
      const [name, value] = parts(criterion.rest);
      return [`_has:${criterion.type}:${criterion.code}:${name}`, value];
    }
    default: {
      const [first] = criterion.operands;
      const type = first?.kind === "reference" ? first.ofType : undefined;
      const modifier = criterion.modifier ?? type;
      const name = modifier === undefined ? criterion.code : `${criterion.code}:${modifier}`;
      return [name, criterion.operands.map(writtenOperand).join(",")];
    }
  }
}

function writtenOperand(operand: Operand): string {
  switch (operand.kind) {
    case "token":
      return operand.system === undefined
        ? escaped(operand.code ?? "")
        : `${escaped(operand.system)}|${escaped(operand.code ?? "")}`;
    case "ofType":
      return [operand.system, operand.code, operand.value].map(escaped).join("|");
    case "set":
      return operand.isToken === true ? operand.text.split("|").map(escaped).join("|") : escaped(operand.text);
    case "text":
      return escaped(operand.text);
    case "reference":
      return operand.text.split("|").map(escaped).join("|");
    case "date":
      return `${operand.prefix}${operand.text}`;
    case "quantity": {
      const { prefix, number, system, code } = operand;
      const unit =
        code !== undefined
          ? `|${escaped(system ?? "")}|${escaped(code)}`
          : system === undefined
            ? ""
            : `|${escaped(system)}`;
      return `${prefix}${number}${unit}`;
    }
    default:
      return operand.parts.map(writtenOperand).join("$");
  }
}

function escaped(text: string): string {
  return text.replaceAll(/[\\,|$]/g, String.raw`\$&`);
}
