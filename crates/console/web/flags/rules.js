/**
 * Targeting as a list of rules that a form can show, and back to JsonLogic. Only targeting that survives the way
 * there and back unchanged is shown as a form; everything else stays JSON.
 */

/**
 * @typedef {{ variant: string }} One
 * @typedef {{ split: [string, number][], by?: unknown }} Split `by` is the JsonLogic that is bucketed on
 * @typedef {One | Split} Outcome
 * @typedef {{ attribute: string, operator: string, value: string, then: Outcome }} Rule
 * @typedef {{ rules: Rule[], otherwise: Outcome | null }} Rules `otherwise` is null for the default variant
 */

/** Operators by what they are called in the form. */
export const OPERATORS = /** @type {const} */ ([
  ["==", "is"],
  ["!=", "is not"],
  ["in", "is one of"],
  ["starts_with", "starts with"],
  ["ends_with", "ends with"],
  ["sem_ver >=", "version at least"],
  ["sem_ver <", "version below"],
  [">", "greater than"],
  ["<", "less than"],
]);

/** @param {unknown} value @returns {Outcome | undefined} */
function readOutcome(value) {
  if (typeof value === "string") return { variant: value };
  const given = /** @type {any} */ (value)?.fractional;
  if (!Array.isArray(given)) return undefined;
  const [first, ...rest] = given;
  const by = Array.isArray(first) ? undefined : first;
  const parts = by === undefined ? given : rest;
  const split = parts.map((part) =>
    Array.isArray(part) && typeof part[0] === "string" ? [part[0], part[1] ?? 1] : null,
  );
  if (split.length === 0 || split.some((part) => part === null || typeof part[1] !== "number"))
    return undefined;
  return { split: /** @type {[string, number][]} */ (split), ...(by === undefined ? {} : { by }) };
}

/** @param {Outcome} outcome */
function writeOutcome(outcome) {
  if ("variant" in outcome) return outcome.variant;
  return { fractional: [...(outcome.by === undefined ? [] : [outcome.by]), ...outcome.split] };
}

/** @param {any} condition @returns {Omit<Rule, "then"> | undefined} */
function readCondition(condition) {
  const [[operator, operands] = []] = Object.entries(condition ?? {});
  if (!operator || !Array.isArray(operands)) return undefined;
  const attribute = operands[0]?.var;
  if (typeof attribute !== "string") return undefined;
  if (operator === "sem_ver" && operands.length === 3)
    return { attribute, operator: `sem_ver ${operands[1]}`, value: String(operands[2]) };
  if (operands.length !== 2) return undefined;
  if (operator === "in")
    return Array.isArray(operands[1])
      ? { attribute, operator, value: operands[1].map(asText).join(", ") }
      : undefined;
  return { attribute, operator, value: asText(operands[1]) };
}

/** A value as typed in the form: text that would read as something else is quoted. @param {unknown} value */
const asText = (value) =>
  typeof value === "string" && asValue(value) === value && !/[,\s]$|^\s/.test(value)
    ? value
    : JSON.stringify(value);

/** @param {string} text */
function asValue(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** @param {Rule} rule */
function writeCondition({ attribute, operator, value }) {
  const subject = { var: attribute };
  if (operator.startsWith("sem_ver ")) return { sem_ver: [subject, operator.slice(8), value] };
  if (operator === "in")
    return {
      in: [
        subject,
        value
          .split(",")
          .map((one) => asValue(one.trim()))
          .filter((one) => one !== ""),
      ],
    };
  if (operator === "starts_with" || operator === "ends_with") return { [operator]: [subject, value] };
  return { [operator]: [subject, asValue(value)] };
}

/**
 * @param {unknown} targeting
 * @returns {Rules | null} null when a form cannot show it
 */
export function readRules(targeting) {
  if (targeting === null || targeting === undefined || JSON.stringify(targeting) === "{}")
    return { rules: [], otherwise: null };
  const rules = readAny(targeting);
  return rules && JSON.stringify(writeRules(rules)) === JSON.stringify(targeting) ? rules : null;
}

/** @param {any} targeting @returns {Rules | null} */
function readAny(targeting) {
  const whole = readOutcome(targeting);
  if (whole) return { rules: [], otherwise: whole };
  const steps = targeting?.if;
  if (!Array.isArray(steps)) return null;
  /** @type {Rule[]} */
  const rules = [];
  for (let at = 0; at + 1 < steps.length; at += 2) {
    const condition = readCondition(steps[at]);
    const then = readOutcome(steps[at + 1]);
    if (!condition || !then || !OPERATORS.some(([operator]) => operator === condition.operator)) return null;
    rules.push({ ...condition, then });
  }
  const last = steps.length % 2 === 1 ? steps.at(-1) : null;
  const otherwise = last === null ? null : readOutcome(last);
  return otherwise === undefined ? null : { rules, otherwise };
}

/**
 * @param {Rules} given
 * @returns {unknown} targeting, or null for none
 */
export function writeRules({ rules, otherwise }) {
  if (rules.length === 0) return otherwise === null ? null : writeOutcome(otherwise);
  const steps = rules.flatMap((rule) => [writeCondition(rule), writeOutcome(rule.then)]);
  return { if: otherwise === null ? steps : [...steps, writeOutcome(otherwise)] };
}
