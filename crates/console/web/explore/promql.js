/** PromQL in the editor: Prometheus' own grammar for highlighting, and completion of metrics, labels, values and functions. */

import { LRLanguage, LanguageSupport } from "../vendor/@codemirror/language/dist/index.js";
import { parser } from "../vendor/@prometheus-io/lezer-promql/dist/index.es.js";
import { labelNames, labelValues, metadata, metricNames } from "../shell/prom.js";
import { AGGREGATIONS, DURATIONS, FUNCTIONS, KEYWORDS } from "./functions.js";

/** @import { Completion, CompletionContext, CompletionResult } from "../vendor/@codemirror/autocomplete/dist/index.js" */

const LANGUAGE = LRLanguage.define({
  name: "promql",
  parser: parser.configure({ top: "PromQL" }),
  languageData: { closeBrackets: { brackets: ["(", "[", "{", "'", '"', "`"] }, commentTokens: { line: "#" } },
});

/** Answers are kept this long: names change rarely, and completion must not wait. */
const KEPT_MS = 30_000;

/** @type {Map<string, { at: number, value: Promise<any> }>} */
const kept = new Map();

/**
 * @template T
 * @param {string} key
 * @param {() => Promise<T>} ask
 * @returns {Promise<T>}
 */
function remembered(key, ask) {
  const old = kept.get(key);
  if (old && Date.now() - old.at < KEPT_MS) return old.value;
  const value = ask();
  kept.set(key, { at: Date.now(), value });
  value.catch(() => kept.delete(key));
  return value;
}

/** @type {Completion[]} */
const WORDS = [
  ...FUNCTIONS.map(([name, args, what]) => ({
    label: name,
    type: "function",
    detail: `(${args})`,
    info: what,
    apply: `${name}(`,
  })),
  ...AGGREGATIONS.map(([name, what]) => ({
    label: name,
    type: "keyword",
    detail: "aggregation",
    info: what,
  })),
  ...KEYWORDS.map((label) => ({ label, type: "keyword", boost: -50 })),
];

/** @returns {Promise<Completion[]>} */
async function metrics() {
  const [names, about] = await Promise.all([
    remembered("names", metricNames),
    remembered("metadata", metadata).catch(() => /** @type {Awaited<ReturnType<typeof metadata>>} */ ({})),
  ]);
  return names.map((label) => ({
    label,
    type: "variable",
    boost: 10,
    detail: about[label]?.[0]?.type,
    info: about[label]?.[0]?.help || undefined,
  }));
}

/**
 * Where the cursor is, from the text before it. The text is mostly unfinished here, so the grammar's tree is of
 * little help, and three patterns tell all that is needed.
 * @param {string} before
 * @returns {{ what: "value", label: string, metric: string } | { what: "label", metric: string } | { what: "duration" } | { what: "word" }}
 */
export function place(before) {
  const braces = /([a-zA-Z_:][\w:]*)?\s*\{((?:[^{}"]|"(?:[^"\\]|\\.)*")*(?:"(?:[^"\\]|\\.)*)?)$/.exec(before);
  if (braces) {
    const [, metric = "", inside = ""] = braces;
    const value = /([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)\s*"(?:[^"\\]|\\.)*$/.exec(inside);
    return value ? { what: "value", label: value[1] ?? "", metric } : { what: "label", metric };
  }
  const grouping = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*$/.exec(before);
  if (grouping) return { what: "label", metric: /([a-zA-Z_:][\w:]*)\s*[{[]/.exec(before)?.[1] ?? "" };
  if (/\[[^\]]*$/.test(before)) return { what: "duration" };
  return { what: "word" };
}

/**
 * @param {CompletionContext} context
 * @returns {Promise<CompletionResult | null>}
 */
async function complete(context) {
  const before = context.state.sliceDoc(0, context.pos);
  const here = place(before);
  const word = context.matchBefore(
    here.what === "value" ? /[^",|]*/ : here.what === "duration" ? /[\w]*/ : /[\w:]*/,
  );
  const from = word?.from ?? context.pos;
  if (here.what === "word" && from === context.pos && !context.explicit) return null;
  try {
    if (here.what === "value") {
      const values = await remembered(`values ${here.label} ${here.metric}`, () =>
        labelValues(here.label, here.metric || undefined),
      );
      return { from, options: values.map((label) => ({ label, type: "text" })), validFor: /^[^"]*$/ };
    }
    if (here.what === "label") {
      const names = await remembered(`labels ${here.metric}`, () => labelNames(here.metric || undefined));
      return {
        from,
        options: names.filter((name) => name !== "__name__").map((label) => ({ label, type: "property" })),
        validFor: /^\w*$/,
      };
    }
    if (here.what === "duration")
      return {
        from,
        options: DURATIONS.map((label, at) => ({ label, type: "constant", boost: -at })),
        validFor: /^\w*$/,
      };
    return { from, options: [...(await metrics()), ...WORDS], validFor: /^[\w:]*$/ };
  } catch {
    // Completion is a convenience: without an answer there is none.
    return null;
  }
}

/** The language, with completion. */
export const promql = () => new LanguageSupport(LANGUAGE, [LANGUAGE.data.of({ autocomplete: complete })]);

/**
 * The place in a JavaScript string of a byte of its UTF-8.
 * @param {string} text
 * @param {number} byte
 */
export function indexOfByte(text, byte) {
  return new TextDecoder().decode(new TextEncoder().encode(text).slice(0, byte)).length;
}
