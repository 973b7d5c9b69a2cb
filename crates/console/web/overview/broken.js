/** The strip at the top: what is broken, since when, what changed just before. */

import { html, nothing } from "../vendor/lit/index.js";
import { Element, icon } from "../elements/element.js";
import { time } from "../elements/time.js";
import { who } from "../shell/format.js";
import { rangeQuery } from "../shell/prom.js";
import { subjectPath } from "../shell/router.js";
import { duration } from "../shell/time.js";
import { beginning } from "./signals.js";

/** @import { Fact, Host } from "../shell/words.js" */
/** @import { Beginning, Signal } from "./signals.js" */

/** How far back "since when" looks, and how finely: the last hour closely, then the last day. In seconds. */
const LOOKS = /** @type {const} */ ([
  { back: 3600, step: 15 },
  { back: 86_400, step: 300 },
]);
/** What changed this long before a signal may have caused it. */
const BEFORE_MS = 30 * 60_000;
/** A rate shows a change this much later than it happened, at most. */
const SLACK_MS = 60_000;

/** Facts that change production. */
export const changesProduction = (/** @type {Fact} */ fact) =>
  fact.change !== undefined && fact.chapter !== "security";

class Broken extends Element {
  static properties = { signals: {}, facts: {}, host: {}, since: { state: true } };

  constructor() {
    super();
    /** @type {Signal[]} */
    this.signals = [];
    /** Newest first. @type {Fact[]} */
    this.facts = [];
    /** @type {Host | null} */
    this.host = null;
    /** When a signal began, by its query; null while that is being found out. @type {Map<string, Beginning | null>} */
    this.since = new Map();
  }

  /** @param {Map<string, unknown>} changed */
  updated(changed) {
    if (!changed.has("signals")) return;
    for (const { query, above } of this.signals) {
      if (query && above !== undefined && !this.since.has(query)) void this.findStart(query, above);
    }
  }

  /** @param {string} query @param {number} above */
  async findStart(query, above) {
    this.since.set(query, null);
    try {
      for (const { back, step } of LOOKS) {
        const end = Math.floor(Date.now() / 1000 / step) * step;
        const { times, series } = await rangeQuery(query, { start: end - back, end, step });
        const found = beginning(times, series[0]?.values ?? [], above);
        this.since = new Map(this.since).set(query, found);
        if (found.how !== "before") return;
      }
    } catch {
      // Without an answer the strip says less; the signal itself stands.
    }
  }

  /** What changed shortly before it began. @param {number} start ms */
  cause(start) {
    const suspect = this.facts.find(
      (fact) =>
        changesProduction(fact) &&
        Date.parse(fact.time) <= start + SLACK_MS &&
        Date.parse(fact.time) > start - BEFORE_MS,
    );
    if (!suspect) return html`<span class="quiet">nothing changed just before</span>`;
    return html`<span
      >after <a href="/audit/${suspect.seq}">${suspect.kind.replaceAll("_", " ")}</a> of
      <a href=${subjectPath(suspect.subject)}>${suspect.subject}</a> by ${who(suspect.actor)}</span
    >`;
  }

  /** @param {Signal} signal */
  line(signal) {
    const start = signal.query ? this.since.get(signal.query) : null;
    return html`<li class=${signal.tone}>
      ${icon("warn")}<span class="visually-hidden">${signal.tone === "bad" ? "Broken:" : "Warning:"}</span>
      <a class="title" href=${signal.href ?? `/explore?q=${encodeURIComponent(signal.query ?? "")}`}
        >${signal.title}</a
      >
      <span class="second">${signal.detail}</span>
      ${start ? html`<span class="since">${start.how === "before" ? "for more than a day" : start.how === "watched" ? html`at least since ${time(start.at, "both")}` : html`since ${time(start.at, "both")} · ${this.cause(start.at)}`}</span>` : nothing}
    </li>`;
  }

  render() {
    const host = this.host;
    if (this.signals.length > 0)
      return html`<ul class="broken panel" aria-label="What is broken">
        ${this.signals.map((signal) => this.line(signal))}
      </ul>`;
    if (!host) return html`<div class="calm panel"><span class="skeleton"></span></div>`;
    return html`<div class="calm panel">
      <span class="ok">${icon("ok")}</span><strong>Nothing is wrong</strong>
      <span class="second"
        >${host.hostname} · ${host.os} · Linux ${host.kernel} · ${host.cpus}
        ${host.cpus === 1 ? "core" : "cores"}${host.bootTime ? ` · up ${duration(Date.now() - Date.parse(host.bootTime))}` : ""}</span
      >
    </div>`;
  }
}

customElements.define("ms-broken", Broken);
