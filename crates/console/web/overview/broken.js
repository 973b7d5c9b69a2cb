/** The strip at the top: what is broken, since when, what changed just before. */

import { html, nothing } from "../vendor/lit/index.js";
import { Element, icon } from "../elements/element.js";
import { time } from "../elements/time.js";
import { who } from "../shell/format.js";
import { rangeQuery } from "../shell/prom.js";
import { subjectPath } from "../shell/router.js";
import { duration } from "../shell/time.js";

/** @import { Fact, Host } from "../shell/words.js" */
/** @import { Signal } from "./signals.js" */

/** How far back "since when" looks, and how finely. */
const LOOK_BACK_S = 86_400;
const STEP_S = 300;
/** What changed this long before a signal may have caused it. */
const BEFORE_MS = 30 * 60_000;
/** Facts that change production. */
export const changesProduction = (/** @type {Fact} */ fact) => fact.change !== undefined && fact.chapter !== "security";

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
    /** When a signal began, ms, by its query; 0 for longer ago than is looked back. @type {Map<string, number>} */
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
    this.since.set(query, NaN);
    const end = Math.floor(Date.now() / 1000 / STEP_S) * STEP_S;
    try {
      const { times, series } = await rangeQuery(query, { start: end - LOOK_BACK_S, end, step: STEP_S });
      const values = series[0]?.values ?? [];
      const known = values.findIndex((value) => value !== null);
      const below = values.findLastIndex((value) => value !== null && value < above);
      // Below to the very end: it has only just begun. Never below: it began before what is known.
      const start = below === values.length - 1 || known < 0 ? end : below < 0 ? 0 : times[below + 1] ?? end;
      this.since = new Map(this.since).set(query, start * 1000);
    } catch {
      // Without an answer the strip says less; the signal itself stands.
    }
  }

  /** @param {number} start */
  cause(start) {
    if (!(start > 0)) return nothing;
    const suspect = this.facts.find((fact) => changesProduction(fact) && Date.parse(fact.time) <= start + STEP_S * 1000 && Date.parse(fact.time) > start - BEFORE_MS);
    if (!suspect) return html`<span class="quiet">nothing changed just before</span>`;
    return html`<span>after <a href="/audit/${suspect.seq}">${suspect.kind.replaceAll("_", " ")}</a> of <a href=${subjectPath(suspect.subject)}>${suspect.subject}</a> by ${who(suspect.actor)}</span>`;
  }

  /** @param {Signal} signal */
  line(signal) {
    const start = signal.query ? this.since.get(signal.query) : undefined;
    const known = start !== undefined && !Number.isNaN(start);
    return html`<li class=${signal.tone}>
      ${icon("warn")}<span class="visually-hidden">${signal.tone === "bad" ? "Broken:" : "Warning:"}</span>
      <a class="title" href=${signal.href ?? `/explore?q=${encodeURIComponent(signal.query ?? "")}`}>${signal.title}</a>
      <span class="second">${signal.detail}</span>
      ${known ? html`<span class="since">${start === 0 ? "for more than a day" : html`since ${time(start, "both")}`} · ${this.cause(start)}</span>` : nothing}
    </li>`;
  }

  render() {
    const host = this.host;
    if (this.signals.length > 0) return html`<ul class="broken panel" aria-label="What is broken">${this.signals.map((signal) => this.line(signal))}</ul>`;
    if (!host) return html`<div class="calm panel"><span class="skeleton"></span></div>`;
    return html`<div class="calm panel">
      <span class="ok">${icon("ok")}</span><strong>Nothing is wrong</strong>
      <span class="second">${host.hostname} · ${host.os} · Linux ${host.kernel} · ${host.cpus} ${host.cpus === 1 ? "core" : "cores"}${host.bootTime ? ` · up ${duration(Date.now() - Date.parse(host.bootTime))}` : ""}</span>
    </div>`;
  }
}

customElements.define("ms-broken", Broken);
