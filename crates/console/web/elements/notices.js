/** What a page says when it has nothing to show, waits, or was refused; and badges. Templates, no elements. */

import { html, nothing } from "../vendor/lit/index.js";
import { Refusal, QueryRefusal } from "../shell/api.js";
import { icon } from "./element.js";
import { toast } from "./toast.js";

/** @import { Problem } from "../shell/words.js" */

/** @param {Problem} problem */
function place(problem) {
  const { file, line, column } = problem.at ?? {};
  const parts = [file, line, column].filter((part) => part !== undefined && part !== null && part !== "");
  return parts.length > 0 ? html`<code>${parts.join(":")}</code> ` : nothing;
}

/**
 * A refusal as the API gave it.
 * @param {unknown} error nothing is shown when it is empty
 */
export function refusal(error) {
  if (!error) return nothing;
  if (!(error instanceof Refusal))
    return html`<div class="refusal" role="alert"><strong>bug</strong> ${String(error)}</div>`;
  const hint = error instanceof QueryRefusal ? error.hint : undefined;
  return html`<div class="refusal" role="alert">
    <strong>${error.kind.replaceAll("_", " ")}</strong> ${error.message}
    ${hint ? html`<span class="hint">${hint}</span>` : nothing}
    ${error.retryAfter ? html`<span class="hint">Try again in ${error.retryAfter}.</span>` : nothing}
    ${
      error.problems.length > 0
        ? html`<ul>
            ${error.problems.map((problem) => html`<li>${place(problem)}${problem.message}${problem.hint ? html` <span class="hint">– ${problem.hint}</span>` : nothing}</li>`)}
          </ul>`
        : nothing
    }
  </div>`;
}

/**
 * An empty state that teaches: what fills it.
 * @param {string} title
 * @param {unknown} text
 * @param {string} [command] a command or YAML
 */
export function empty(title, text, command) {
  return html`<div class="empty">
    <h2>${title}</h2>
    <p>${text}</p>
    ${command ? commandBox(command) : nothing}
  </div>`;
}

/** A command that can be copied. @param {string} command */
export const commandBox = (command) =>
  html`<div class="copyable">
    <pre class="command" tabindex="0"><code>${command}</code></pre>
    <button type="button" class="small plain" @click=${() => copy(command)}>${icon("copy")} Copy</button>
  </div>`;

/** @param {string} text */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied.");
  } catch {
    toast("The browser did not allow copying.", "bad");
  }
}

/** @param {number} [lines] */
export const skeleton = (lines = 4) =>
  html`<div class="stack" aria-busy="true" aria-label="Loading">
    ${Array.from({ length: lines }, () => html`<span class="skeleton"></span>`)}
  </div>`;

const SIGNS = { ok: "✓", warn: "!", bad: "✕", accent: "●", "": undefined };

/**
 * A badge: a sign and a word, never colour alone.
 * @param {unknown} text
 * @param {keyof typeof SIGNS} [tone]
 */
export const badge = (text, tone = "") => {
  const sign = SIGNS[tone];
  return sign
    ? html`<span class="badge ${tone}" data-sign=${sign}>${text}</span>`
    : html`<span class="badge">${text}</span>`;
};

/**
 * Tabs that are links: each has an address.
 * @param {string} label
 * @param {{ href: string, text: string, count?: number, current: boolean }[]} tabs
 */
export const tabs = (label, tabs) =>
  html`<nav class="tabs" aria-label=${label}>
    ${tabs.map((tab) => html`<a href=${tab.href} aria-current=${tab.current ? "page" : nothing}>${tab.text}${tab.count === undefined ? nothing : html` <span class="count">${tab.count}</span>`}</a>`)}
  </nav>`;

/** A unified diff with its lines marked. @param {string | undefined} text */
export const diff = (text) =>
  text
    ? html`<div class="diff" tabindex="0" role="region" aria-label="Difference">
        ${text
          .replace(/\n$/, "")
          .split("\n")
          .map((line) => {
            const kind =
              line.startsWith("@@") || line.startsWith("---") || line.startsWith("+++")
                ? "at"
                : line.startsWith("+")
                  ? "add"
                  : line.startsWith("-")
                    ? "del"
                    : "";
            return html`<div class=${kind}>${line || " "}</div>`;
          })}
      </div>`
    : nothing;
