/** Explore: a PromQL query over the page's time range, as a chart and as a table. Everything is in the address. */

import { html, nothing } from "../vendor/lit/index.js";
import "../elements/chart.js";
import "../elements/editor.js";
import { Element } from "../elements/element.js";
import { empty, refusal } from "../elements/notices.js";
import { QueryRefusal, get } from "../shell/api.js";
import { count, format, selector, unitOf, who } from "../shell/format.js";
import { instantQuery, rangeQuery } from "../shell/prom.js";
import { bounds, isLive } from "../shell/range.js";
import { query, setQuery } from "../shell/router.js";
import { duration, parseDuration } from "../shell/time.js";
import "./browser.js";
import { indexOfByte } from "./promql.js";
import { sampleTable } from "./samples.js";

/** @import { Cost, Series, Labels } from "../shell/words.js" */
/** @import { EditorElement } from "../elements/editor.js" */
/** @import { Marker } from "../elements/plot.js" */

/** @typedef {{ labels: Labels, time: number, value: number, text: string }} Sample */

/** Series drawn at once; more can be asked for. */
const DRAWN = 60;
const RECENT = "mainstay.queries";
const RECENT_KEPT = 20;

/** @type {[string, string][]} */
const EXAMPLES = [
  ["CPU in use, in cores", 'sum by (mode) (rate(node_cpu_seconds_total{mode!="idle"}[1m]))'],
  ["Memory left", "node_memory_MemAvailable_bytes"],
  ["Waiting for IO", "rate(node_pressure_io_waiting_seconds_total[1m])"],
  ["Fullest file system", "1 - node_filesystem_avail_bytes / node_filesystem_size_bytes"],
  ["Flag evaluations", "sum by (flag, variant) (rate(mainstay_flag_evaluations_total[5m]))"],
];

/** @returns {string[]} */
const recent = () => {
  try {
    return JSON.parse(localStorage.getItem(RECENT) ?? "[]");
  } catch {
    return [];
  }
};

class Explore extends Element {
  static properties = {
    series: { state: true },
    times: { state: true },
    samples: { state: true },
    cost: { state: true },
    error: { state: true },
    busy: { state: true },
    everything: { state: true },
    markers: { state: true },
  };

  constructor() {
    super();
    /** @type {Series[] | null} */
    this.series = null;
    /** @type {number[]} */
    this.times = [];
    /** @type {Sample[] | null} */
    this.samples = null;
    /** @type {Cost | null} */
    this.cost = null;
    /** @type {unknown} */
    this.error = null;
    this.busy = false;
    this.everything = false;
    /** @type {Marker[]} */
    this.markers = [];
    this.typed = query().get("q") ?? "";
    /** What the results belong to. */
    this.ran = "";
    /** @type {AbortController | null} */
    this.pending = null;
    /** @type {number | undefined} */
    this.timer = undefined;
  }

  connectedCallback() {
    super.connectedCallback();
    this.hear("ms-route", () => this.follow());
    this.until(() => {
      this.pending?.abort();
      clearTimeout(this.timer);
    });
    void this.follow();
    get("facts", { chapter: "flags", limit: 200 })
      .then(({ items }) => {
        this.markers = items.map((/** @type {any} */ fact) => ({
          time: Date.parse(fact.time) / 1000,
          label: `${fact.subject}: ${fact.kind.replaceAll("_", " ")} by ${who(fact.actor)}`,
        }));
      })
      .catch(() => {});
  }

  /** @returns {EditorElement | null} */
  get editor() {
    return this.querySelector("ms-editor");
  }

  get asTable() {
    return query().get("view") === "table";
  }

  /** @returns {{ start: number, end: number, step: number }} */
  get when() {
    const when = bounds();
    const asked = (parseDuration(query().get("step") ?? "") ?? 0) / 1000;
    return asked >= 1 ? { start: Math.floor(when.start / asked) * asked, end: when.end, step: asked } : when;
  }

  /** Does what the address says. */
  async follow() {
    this.requestUpdate();
    const expression = query().get("q") ?? "";
    if (this.editor && expression !== this.typed) {
      this.typed = expression;
      this.editor.value = expression;
    }
    clearTimeout(this.timer);
    if (!expression) {
      this.pending?.abort();
      [this.series, this.samples, this.error, this.ran, this.busy] = [null, null, null, "", false];
      return;
    }
    await this.ask(expression);
    if (isLive() && query().get("refresh") && this.isConnected)
      this.timer = window.setTimeout(() => void this.follow(), Math.max(5, this.when.step) * 1000);
  }

  /** @param {string} expression */
  async ask(expression) {
    this.pending?.abort();
    const { signal } = (this.pending = new AbortController());
    this.busy = true;
    try {
      if (this.asTable) {
        const answer = await instantQuery(expression, isLive() ? undefined : bounds().end, signal);
        [this.samples, this.series, this.cost] = [answer.samples, null, answer.cost];
      } else {
        const answer = await rangeQuery(expression, this.when, signal);
        [this.series, this.times, this.samples, this.cost] = [answer.series, answer.times, null, answer.cost];
      }
      this.error = null;
      this.editor?.mark([]);
      if (this.ran !== expression) this.everything = false;
      this.ran = expression;
    } catch (error) {
      if (signal.aborted) return;
      this.error = error;
      this.point(expression, error);
    }
    this.busy = false;
  }

  /** Marks where in the query the error is. @param {string} expression @param {unknown} error */
  point(expression, error) {
    if (!(error instanceof QueryRefusal) || !error.position) return;
    const { start, end } = error.position;
    const from = indexOfByte(expression, start);
    const to = indexOfByte(expression, end);
    this.editor?.mark([
      { from: from === to && from > 0 ? from - 1 : from, to, severity: "error", message: error.message },
    ]);
  }

  run() {
    const expression = (this.editor?.value ?? this.typed).trim();
    this.typed = expression;
    if (expression)
      localStorage.setItem(
        RECENT,
        JSON.stringify([expression, ...recent().filter((one) => one !== expression)].slice(0, RECENT_KEPT)),
      );
    if (expression === (query().get("q") ?? "")) void this.follow();
    else setQuery({ q: expression });
  }

  /** @param {string} expression */
  put(expression) {
    if (this.editor) this.editor.value = expression;
    this.typed = expression;
    this.run();
  }

  bar() {
    return html`<div class="row top">
        <ms-editor
          class="grow"
          .language=${"promql"}
          .runs=${true}
          .label=${"Query in PromQL"}
          .hint=${"PromQL: Enter runs, Shift-Enter begins a line"}
          .value=${this.typed}
          data-search
          autofocus
          @ms-run=${this.run}
        ></ms-editor>
        ${
          this.busy
            ? html`<button
                type="button"
                @click=${() => {
                  this.pending?.abort();
                  this.busy = false;
                }}
              >
                Cancel
              </button>`
            : html`<button type="button" class="primary" @click=${this.run}>Run</button>`
        }
      </div>
      ${this.options()}`;
  }

  options() {
    const search = query();
    return html`<div class="row">
      <div class="group" role="group" aria-label="Show as">
        <button
          type="button"
          class="small"
          aria-pressed=${!this.asTable}
          @click=${() => setQuery({ view: null })}
        >
          Chart
        </button>
        <button
          type="button"
          class="small"
          aria-pressed=${this.asTable}
          @click=${() => setQuery({ view: "table" })}
        >
          Table
        </button>
      </div>
      ${
        this.asTable
          ? nothing
          : html`<label class="check small second"
              >Step
              <select @change=${(/** @type {any} */ event) => setQuery({ step: event.target.value })}>
                <option value="" ?selected=${!search.get("step")}>
                  auto, ${duration(bounds().step * 1000)}
                </option>
                ${["5s", "15s", "1m", "5m", "15m", "1h"].map((step) => html`<option ?selected=${search.get("step") === step}>${step}</option>`)}
              </select></label
            >`
      }
      <button
        type="button"
        class="small"
        aria-pressed=${Boolean(search.get("refresh"))}
        ?disabled=${!isLive()}
        @click=${() => setQuery({ refresh: search.get("refresh") ? null : "1" })}
      >
        Keep running
      </button>
      <button
        type="button"
        class="small"
        aria-pressed=${Boolean(search.get("browse"))}
        @click=${() => setQuery({ browse: search.get("browse") ? null : "1" })}
      >
        Metrics
      </button>
      ${
        recent().length > 0
          ? html`<select
              aria-label="Recent queries"
              class="recent"
              @change=${(/** @type {any} */ event) => {
                this.put(event.target.value);
                event.target.selectedIndex = 0;
              }}
            >
              <option>Recent…</option>
              ${recent().map((one) => html`<option value=${one}>${one}</option>`)}
            </select>`
          : nothing
      }
      <span class="grow"></span>
      ${this.costLine()}
    </div>`;
  }

  costLine() {
    const { cost } = this;
    if (!cost || this.error) return nothing;
    const many = this.series?.length ?? this.samples?.length ?? 0;
    return html`<span class="quiet small" role="status"
      >${count(many)}
      ${many === 1 ? "series" : "series"}${cost.samples === undefined ? nothing : html` · ${count(cost.samples)} samples read`}${cost.evalSeconds === undefined ? nothing : html` · evaluated in ${format(cost.evalSeconds, "seconds")}`}
      · answered in ${format(cost.seconds, "seconds")}</span
    >`;
  }

  chart() {
    const series = this.series ?? [];
    const shown = this.everything ? series : series.slice(0, DRAWN);
    const short = new Set(series.map((one) => one.labels.__name__)).size <= 1 && series.length > 1;
    const lines = shown.map((one) => ({
      label: short ? selector(one.labels, true) : selector(one.labels),
      values: one.values.map((value) => (value === null || Number.isFinite(value) ? value : null)),
    }));
    return html`${
        series.length > shown.length
          ? html`<div class="note">
              ${shown.length} of ${count(series.length)} series are drawn.
              <button
                type="button"
                class="link"
                @click=${() => {
                  this.everything = true;
                }}
              >
                Draw all</button
              >, or narrow the query with <code>topk</code> or labels.
            </div>`
          : nothing
      }
      <ms-chart
        .label=${this.ran}
        .times=${this.times}
        .lines=${lines}
        .unit=${unitOf(this.ran)}
        .height=${320}
        .markers=${this.markers}
      ></ms-chart>`;
  }

  results() {
    if (this.samples === null && this.series === null) {
      if (query().get("q"))
        return this.error
          ? nothing
          : html`<div class="panel">
              <div class="body"><span class="skeleton block"></span></div>
            </div>`;
      return html`<div class="panel empty">
        <h2>Ask something</h2>
        <p>
          Metrics of this machine are named as by node_exporter; Mainstay's own begin with
          <code>mainstay_</code>.
        </p>
        <ul class="examples">
          ${EXAMPLES.map(([what, expression]) => html`<li><button type="button" class="link" @click=${() => this.put(expression)}>${what}</button> <code class="quiet">${expression}</code></li>`)}
        </ul>
      </div>`;
    }
    const nothingThere = (this.samples ?? this.series ?? []).length === 0;
    if (nothingThere)
      return html`<div class="panel">
        ${empty("No series", "The query is right, and nothing fits it in this time. Look whether the names exist, or take a longer time.", "mainstay query 'count by (__name__) ({__name__=~\".+\"})'")}
      </div>`;
    return html`<section class="panel ${this.error ? "old" : ""}" aria-label="Result" aria-busy=${this.busy}>
      <div class="body">${this.samples ? sampleTable(this.samples, unitOf(this.ran)) : this.chart()}</div>
    </section>`;
  }

  render() {
    return html`<div class="stack explore">
      ${this.bar()} ${refusal(this.error)}
      ${(this.cost?.warnings ?? []).map((warning) => html`<div class="note">${warning}</div>`)}
      ${this.results()}
      ${query().get("browse") ? html`<ms-metrics @ms-metric=${(/** @type {CustomEvent<string>} */ event) => this.put(event.detail)}></ms-metrics>` : nothing}
    </div>`;
  }
}

customElements.define("ms-explore", Explore);
