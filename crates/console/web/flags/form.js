/** The form of a flag's targeting: rules from the top, then everyone else. Templates over values. */

import { html, nothing } from "../vendor/lit/index.js";
import { OPERATORS } from "./rules.js";

/** @import { Outcome, Rule, Rules } from "./rules.js" */
/** @import { Body } from "./editor.js" */

/**
 * What an outcome is in words.
 * @param {Rules | null} rules
 * @param {Body} body
 */
export function outcome(rules, body) {
  if (body.state === "DISABLED") return "Off: every caller gets its own default.";
  if (!rules) return "";
  const fallback = body.defaultVariant ?? "the caller's default";
  const rest = rules.otherwise ? words(rules.otherwise) : fallback;
  return rules.rules.length === 0
    ? `Everyone gets ${rest}.`
    : `${rules.rules.length} ${rules.rules.length === 1 ? "rule" : "rules"}, then ${rest}.`;
}

/** @param {Outcome} given */
function words(given) {
  if ("variant" in given) return given.variant;
  const total = given.split.reduce((sum, [, weight]) => sum + weight, 0) || 1;
  return given.split
    .map(([name, weight]) => `${Math.round((weight / total) * 1000) / 10} % ${name}`)
    .join(", ");
}

/** @param {Event} event */
const valueOf = (event) => /** @type {HTMLInputElement} */ (event.target).value;

/**
 * Picks a variant, a split, or (with `none`) nothing.
 * @param {Outcome | null} given
 * @param {string[]} names
 * @param {(next: Outcome | null) => void} put
 * @param {string} label
 * @param {boolean} [none]
 */
function outcomeField(given, names, put, label, none = false) {
  const chosen = given === null ? "" : "split" in given ? " split" : given.variant;
  const pick = (/** @type {string} */ value) => {
    if (value === "") put(null);
    else if (value === " split")
      put({
        split: names.map((name, at) => [
          name,
          at === 0
            ? 100 - Math.floor(100 / names.length) * (names.length - 1)
            : Math.floor(100 / names.length),
        ]),
      });
    else put({ variant: value });
  };
  return html`<select aria-label=${label} @change=${(/** @type {Event} */ event) => pick(valueOf(event))}>
      ${none ? html`<option value="" ?selected=${chosen === ""}>the default variant</option>` : nothing}
      ${names.map((name) => html`<option value=${name} ?selected=${chosen === name}>${name}</option>`)}
      <option value=" split" ?selected=${chosen === " split"}>a split…</option>
    </select>
    ${given && "split" in given ? splitField(given, names, put, label) : nothing}`;
}

/**
 * @param {import("./rules.js").Split} given
 * @param {string[]} names
 * @param {(next: Outcome) => void} put
 * @param {string} label
 */
function splitField(given, names, put, label) {
  const total = given.split.reduce((sum, [, weight]) => sum + weight, 0) || 1;
  const all = [
    ...given.split,
    ...names
      .filter((name) => !given.split.some(([other]) => other === name))
      .map((name) => /** @type {[string, number]} */ ([name, 0])),
  ];
  const weigh = (/** @type {string} */ name, /** @type {number} */ weight) => {
    const split = all
      .map(([other, old]) => /** @type {[string, number]} */ ([other, other === name ? weight : old]))
      .filter(([other, value]) => value > 0 || given.split.some(([known]) => known === other));
    put({ ...given, split });
  };
  return html`<div class="split" role="group" aria-label="${label}: shares">
    <div class="share" aria-hidden="true">
      ${given.split.map(([name, weight], at) => html`<i class="swatch k${(at % 8) + 1}" .style=${`width:${(weight / total) * 100}%`} title=${name}></i>`)}
    </div>
    ${all.map(
      ([name, weight], at) =>
        html`<label class="row"
          ><i class="swatch k${(at % 8) + 1}"></i><span class="grow">${name}</span>
          <input
            type="number"
            min="0"
            step="1"
            aria-label="Weight of ${name}"
            .value=${String(weight)}
            @change=${(/** @type {Event} */ event) => weigh(name, Math.max(0, Number(valueOf(event))))}
          />
          <span class="quiet number">${Math.round((weight / total) * 1000) / 10} %</span></label
        >`,
    )}
    ${given.by === undefined ? html`<p class="quiet small">Split by targetingKey: the same user keeps the same variant.</p>` : html`<p class="quiet small">Split by <code>${JSON.stringify(given.by)}</code></p>`}
  </div>`;
}

/**
 * @param {Rule} rule
 * @param {number} at
 * @param {string[]} names of the variants
 * @param {(part: Partial<Rule>) => void} change
 * @param {() => void} up
 * @param {() => void} drop
 */
const ruleRow = (rule, at, names, change, up, drop) =>
  html`<div class="rule">
    <span class="step">${at === 0 ? "If" : "Else if"}</span>
    <input
      aria-label="Attribute"
      .value=${rule.attribute}
      placeholder="country"
      @change=${(/** @type {Event} */ event) => change({ attribute: valueOf(event) })}
    />
    <select
      aria-label="Comparison"
      @change=${(/** @type {Event} */ event) => change({ operator: valueOf(event) })}
    >
      ${OPERATORS.map(([operator, text]) => html`<option value=${operator} ?selected=${operator === rule.operator}>${text}</option>`)}
    </select>
    <input
      class="grow"
      aria-label="Value"
      .value=${rule.value}
      placeholder=${rule.operator === "in" ? "SE, NO" : "SE"}
      @change=${(/** @type {Event} */ event) => change({ value: valueOf(event) })}
    />
    <span class="second">gets</span>
    ${outcomeField(
      rule.then,
      names,
      (then) => {
        if (then) change({ then });
      },
      `Outcome of rule ${at + 1}`,
    )}
    <span class="tools"
      ><button
        type="button"
        class="plain small"
        ?disabled=${at === 0}
        aria-label="Move rule ${at + 1} up"
        @click=${up}
      >
        ↑
      </button>
      <button type="button" class="plain small" aria-label="Remove rule ${at + 1}" @click=${drop}>
        Remove
      </button></span
    >
  </div>`;

/**
 * @param {Rules} given
 * @param {string[]} names of the variants
 * @param {(next: Rules) => void} put
 */
export function rulesForm(given, names, put) {
  const change = (/** @type {number} */ at, /** @type {Partial<Rule>} */ part) =>
    put({ ...given, rules: given.rules.map((rule, index) => (index === at ? { ...rule, ...part } : rule)) });
  const drop = (/** @type {number} */ at) =>
    put({ ...given, rules: given.rules.filter((_rule, index) => index !== at) });
  const swap = (/** @type {number} */ at) => {
    const rules = [...given.rules];
    const [one, two] = [rules[at - 1], rules[at]];
    if (one && two) rules.splice(at - 1, 2, two, one);
    put({ ...given, rules });
  };
  return html`<fieldset>
    <legend>Rules, the first that fits decides</legend>
    ${given.rules.map((rule, at) =>
      ruleRow(
        rule,
        at,
        names,
        (part) => change(at, part),
        () => swap(at),
        () => drop(at),
      ),
    )}
    <div class="rule">
      <span class="step">${given.rules.length === 0 ? "Everyone" : "Everyone else"}</span
      ><span class="second">gets</span>
      ${outcomeField(given.otherwise, names, (otherwise) => put({ ...given, otherwise }), "Outcome for everyone else", true)}
    </div>
    <button
      type="button"
      class="small"
      ?disabled=${names.length === 0}
      @click=${() => put({ ...given, rules: [...given.rules, { attribute: "", operator: "==", value: "", then: { variant: names[0] ?? "" } }] })}
    >
      Add a rule
    </button>
  </fieldset>`;
}
