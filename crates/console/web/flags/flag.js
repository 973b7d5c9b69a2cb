/** One flag: what it decides, what a user would get, who changed it, who gets what now. */

import { html, nothing } from "../vendor/lit/index.js";
import "../elements/chart.js";
import { askForm } from "../elements/dialog.js";
import { Element, icon } from "../elements/element.js";
import "../elements/history.js";
import { badge, refusal, skeleton } from "../elements/notices.js";
import { time } from "../elements/time.js";
import { address, get } from "../shell/api.js";
import { count, format, who } from "../shell/format.js";
import { watch } from "../shell/live.js";
import { rangeQuery } from "../shell/prom.js";
import { bounds, isLive, rateWindow } from "../shell/range.js";
import { flagPath, query, setQuery } from "../shell/router.js";
import "./editor.js";
import { debtChips, flip, stateBadge } from "./switch.js";
import "./try.js";

/** @import { Fact, FlagDetail } from "../shell/words.js" */
/** @import { Line } from "../elements/chart.js" */

class FlagPage extends Element {
  static properties = {
    params: {},
    flag: { state: true },
    error: { state: true },
    drawn: { state: true },
    facts: { state: true },
  };

  constructor() {
    super();
    /** @type {{ key?: string }} */
    this.params = {};
    /** @type {FlagDetail | null} */
    this.flag = null;
    /** @type {unknown} */
    this.error = null;
    /** @type {{ times: number[], lines: Line[] } | null} */
    this.drawn = null;
    /** @type {Fact[]} */
    this.facts = [];
    /** The environment that was asked about. */
    this.shownIn = "";
    /** @type {number | undefined} */
    this.timer = undefined;
  }

  get key() {
    return this.params.key ?? "";
  }

  connectedCallback() {
    super.connectedCallback();
    this.dispatchEvent(new CustomEvent("ms-title", { bubbles: true, detail: this.key }));
    void this.load();
    void this.draw();
    this.hear("ms-route", () => {
      this.requestUpdate();
      if ((query().get("environment") ?? "") !== this.shownIn) void this.load();
      void this.draw();
    });
    this.until(
      watch(address("facts/watch", { subject: `Flag/${this.key}` }), { fact: () => void this.load() }),
    );
    this.until(() => clearTimeout(this.timer));
  }

  async load() {
    try {
      this.shownIn = query().get("environment") ?? "";
      this.flag = await get(`flags/${encodeURIComponent(this.key)}`, { environment: this.shownIn });
      this.facts = (await get("facts", { subject: `Flag/${this.key}`, limit: 100 })).items;
      this.error = null;
    } catch (error) {
      this.error = error;
    }
  }

  async draw() {
    clearTimeout(this.timer);
    const when = bounds();
    try {
      const { times, series } = await rangeQuery(
        `sum by (variant) (rate(mainstay_flag_evaluations_total{flag=${JSON.stringify(this.key)}}[${rateWindow(when.step)}]))`,
        when,
      );
      this.drawn = {
        times,
        lines: series.map((one) => ({ label: one.labels.variant || "caller's default", values: one.values })),
      };
    } catch {
      this.drawn = { times: [], lines: [] };
    }
    if (isLive() && this.isConnected)
      this.timer = window.setTimeout(() => void this.draw(), Math.max(5, when.step) * 1000);
  }

  /** Shows and edits the flag as it is in one environment, which may be new. @param {HTMLSelectElement} select */
  inEnvironment(select) {
    if (select.value !== " other") {
      setQuery({ environment: select.value });
      return;
    }
    select.value = query().get("environment") ?? "";
    void askForm(
      "Another environment",
      "Go on",
      html`<p class="second">What it says differently from the flag itself is kept under this name.</p>
        <label class="field"
          >Name<input name="name" required autofocus autocomplete="off" placeholder="staging"
        /></label>`,
      async ({ name }) => setQuery({ environment: name }),
    );
  }

  counts() {
    const counts = Object.entries(this.flag?.counts ?? {}).sort((a, b) => b[1] - a[1]);
    const total = counts.reduce((sum, [, number]) => sum + number, 0);
    if (total === 0)
      return html`<p class="quiet">
        Not evaluated since Mainstay started. An application asks with any OpenFeature SDK and the OFREP
        provider, pointed at <code>${location.origin}</code>.
      </p>`;
    return html`<table aria-label="Evaluations by variant">
      <tbody>
        ${counts.map(
          ([variant, number]) =>
            html`<tr>
              <td>${variant || html`<span class="quiet">caller's default</span>`}</td>
              <td>
                <span class="meter"><i .style=${`width:${(number / total) * 100}%`}></i></span>
              </td>
              <td class="number">${format(number / total, "fraction")}</td>
              <td class="number">${count(number)}</td>
            </tr>`,
        )}
      </tbody>
    </table>`;
  }

  /** @param {FlagDetail} flag */
  about(flag) {
    const { prerequisites = [], requiredBy = [] } = flag.references ?? {};
    const links = (/** @type {string[]} */ keys) =>
      keys.map((key) => html`<a href=${flagPath(key)}>${key}</a> `);
    const managed = flag.resource.status?.managedBy;
    return html`<dl class="facts">
      <dt>Rollout</dt>
      <dd>${flag.rollout.summary}</dd>
      <dt>Values</dt>
      <dd>${flag.kind}, flag set ${flag.flagSet}</dd>
      <dt>Owner</dt>
      <dd>${flag.owner ?? html`<span class="quiet">nobody</span>`}</dd>
      <dt>Expires</dt>
      <dd>${flag.expires ? html`${flag.expires} · ${time(flag.expires, "relative")}` : html`<span class="quiet">never</span>`}</dd>
      <dt>Made</dt>
      <dd>${time(flag.created, "both")}</dd>
      <dt>Changed</dt>
      <dd>${time(flag.changed, "both")} by ${who(flag.changedBy)}</dd>
      <dt>Last evaluated</dt>
      <dd>${time(flag.lastEvaluated)}</dd>
      ${
        prerequisites.length
          ? html`<dt>Needs</dt>
              <dd>${links(prerequisites)}</dd>`
          : nothing
      }
      ${
        requiredBy.length
          ? html`<dt>Needed by</dt>
              <dd>${links(requiredBy)}</dd>`
          : nothing
      }
      ${
        managed
          ? html`<dt>Kept by</dt>
              <dd>${managed}: a change here shows as drift until it is in the files too</dd>`
          : nothing
      }
    </dl>`;
  }

  /** @param {FlagDetail} flag @param {string} environment */
  heading(flag, environment) {
    const environments = [...new Set([...(flag.environments ?? []), ...(environment ? [environment] : [])])];
    return html`<div class="row">
      <a href="/flags">Flags</a> <span class="quiet">/</span>
      <strong class="flag-key">${flag.key}</strong> ${stateBadge(flag)}
      ${badge(flag.rollout.summary, "accent")} ${debtChips(flag.debt)}
      <span class="grow"></span>
      <select
        aria-label="Environment"
        @change=${(/** @type {any} */ event) => this.inEnvironment(event.target)}
      >
        <option value="" ?selected=${!environment}>every environment</option>
        ${environments.map((name) => html`<option value=${name} ?selected=${name === environment}>${name}</option>`)}
        <option value=" other">another…</option>
      </select>
      <button
        type="button"
        class=${flag.state === "ENABLED" ? "danger" : ""}
        @click=${() => flip(flag, () => void this.load(), environment || undefined)}
      >
        ${icon("off")}${flag.state === "ENABLED" ? "Turn off" : "Turn on"}${environment ? ` in ${environment}` : ""}
      </button>
    </div>`;
  }

  /** Who gets what now. */
  evaluations() {
    const markers = this.facts.map((fact) => ({
      time: Date.parse(fact.time) / 1000,
      label: `${fact.kind.replaceAll("_", " ")} by ${who(fact.actor)}`,
    }));
    return html`<section class="panel">
      <header>
        <h2>Evaluations by variant</h2>
        <span class="end">per second</span>
      </header>
      <div class="body">
        ${
          this.drawn
            ? html`<ms-chart
                .label=${"Evaluations by variant"}
                .times=${this.drawn.times}
                .lines=${this.drawn.lines}
                .unit=${"per second"}
                .stacked=${true}
                .markers=${markers}
              ></ms-chart>`
            : html`<span class="skeleton block"></span>`
        }${this.counts()}
      </div>
    </section>`;
  }

  render() {
    const { flag } = this;
    if (this.error && !flag)
      return html`<div class="stack">
        ${refusal(this.error)}
        <p><a href="/flags">All flags</a></p>
      </div>`;
    if (!flag) return html`<div class="panel empty">${skeleton(10)}</div>`;
    const environment = query().get("environment") ?? "";
    return html`<div class="stack">
      ${this.heading(flag, environment)}
      ${flag.description ? html`<p class="second">${flag.description}</p>` : nothing} ${refusal(this.error)}
      <div class="halves">
        <div class="stack">
          <section class="panel">
            <header><h2>What it decides</h2></header>
            <div class="body">
              <ms-rule-editor
                class="stack"
                .flag=${flag}
                .environment=${environment}
                @ms-changed=${this.load}
              ></ms-rule-editor>
            </div>
          </section>
          ${this.evaluations()}
          <section class="panel">
            <header><h2>Who changed what</h2></header>
            <div class="body">
              <ms-history
                .subject=${`Flag/${encodeURIComponent(flag.key)}`}
                .revision=${flag.resource.metadata.version ?? 0}
              ></ms-history>
            </div>
          </section>
        </div>
        <div class="stack">
          <section class="panel">
            <header><h2>What would this user get?</h2></header>
            <div class="body"><ms-try .flagKey=${flag.key} .environment=${environment}></ms-try></div>
          </section>
          <section class="panel">
            <header>
              <h2>About</h2>
              <a class="end" href="/resources/Flag/${encodeURIComponent(flag.key)}?apply=1">Edit as YAML</a>
            </header>
            <div class="body">${this.about(flag)}</div>
          </section>
        </div>
      </div>
    </div>`;
  }
}

customElements.define("ms-flag", FlagPage);
