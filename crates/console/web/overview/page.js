/** The overview: what is broken, and this machine live. */

import { html, nothing } from "../vendor/lit/index.js";
import "../elements/chart.js";
import { Element } from "../elements/element.js";
import { empty, refusal, skeleton } from "../elements/notices.js";
import { time } from "../elements/time.js";
import { address, get } from "../shell/api.js";
import { who } from "../shell/format.js";
import { watch } from "../shell/live.js";
import { instantQuery } from "../shell/prom.js";
import { bounds, isLive, setFallback } from "../shell/range.js";
import { subjectPath } from "../shell/router.js";
import { changesProduction } from "./broken.js";
import { CHARTS, draw, exploreQuery } from "./charts.js";
import { figures, filesystemTable, own, processTable } from "./figures.js";
import { signals } from "./signals.js";

/** @import { Fact, Host, Status } from "../shell/words.js" */
/** @import { Drawn } from "./charts.js" */

const STATUS_EVERY_MS = 10_000;
const FACTS_KEPT = 200;
const CHANGES_SHOWN = 8;
/** A store younger than this fills only a corner of a longer range. */
const YOUNG_MS = 6 * 60_000;

class Overview extends Element {
  static properties = {
    host: { state: true },
    status: { state: true },
    facts: { state: true },
    drawn: { state: true },
    error: { state: true },
    own: { state: true },
  };

  constructor() {
    super();
    /** @type {Host | null} */
    this.host = null;
    /** @type {Status | null} */
    this.status = null;
    /** Newest first. @type {Fact[]} */
    this.facts = [];
    /** @type {Map<string, Drawn>} */
    this.drawn = new Map();
    /** @type {unknown} */
    this.error = null;
    /** @type {{ samples?: number, cores?: number }} */
    this.own = {};
    /** Seconds between collections; the default until two have been seen. */
    this.interval = 5;
    /** @type {AbortController | null} */
    this.pending = null;
    /** @type {number | undefined} */
    this.timer = undefined;
  }

  connectedCallback() {
    super.connectedCallback();
    void this.start();
    this.hear("ms-route", () => void this.drawAll());
    this.until(() => {
      clearTimeout(this.timer);
      this.pending?.abort();
    });
  }

  async start() {
    const facts = get("facts", { order: "desc", limit: FACTS_KEPT })
      .then(({ items }) => {
        this.facts = items;
      })
      .catch(() => {});
    await this.loadStatus();
    try {
      this.host = await get("host");
    } catch (error) {
      this.error = error;
    }
    if (!this.isConnected) return;
    this.until(
      watch(address("host/watch"), {
        host: (/** @type {Host} */ host) => {
          const gap = (Date.parse(host.time) - Date.parse(this.host?.time ?? host.time)) / 1000;
          if (gap >= 1) this.interval = Math.min(Math.round(gap), 60);
          this.host = host;
          this.error = null;
        },
      }),
    );
    const every = window.setInterval(() => void this.loadStatus(), STATUS_EVERY_MS);
    this.until(() => clearInterval(every));
    await facts;
    if (!this.isConnected) return;
    const after = this.facts[0]?.seq ?? 0;
    this.until(
      watch(address("facts/watch", { after }), {
        fact: (fact) => {
          if (!this.facts.some(({ seq }) => seq === fact.seq))
            this.facts = [fact, ...this.facts].slice(0, FACTS_KEPT);
        },
      }),
    );
    void this.drawAll();
  }

  async loadStatus() {
    if (document.hidden) return;
    try {
      const status = /** @type {Status} */ (await get("status"));
      this.status = status;
      const oldest = status.store.oldest;
      setFallback(oldest && Date.now() - Date.parse(oldest) > YOUNG_MS ? "15m" : "5m");
    } catch (error) {
      this.error = error;
    }
    const value = async (/** @type {string} */ query) => (await instantQuery(query)).samples[0]?.value;
    const [samples, cores] = await Promise.allSettled([
      value("sum(rate(mainstay_store_samples_appended_total[1m]))"),
      value('sum(rate(process_cpu_seconds_total{job="mainstay"}[1m]))'),
    ]);
    this.own = {
      samples: samples.status === "fulfilled" ? samples.value : undefined,
      cores: cores.status === "fulfilled" ? cores.value : undefined,
    };
  }

  /** Draws every chart, and again when the range has moved on by a step. */
  async drawAll() {
    clearTimeout(this.timer);
    this.pending?.abort();
    const host = this.host;
    if (!host || !this.isConnected) {
      this.timer = window.setTimeout(() => void this.drawAll(), 1000);
      return;
    }
    if (!document.hidden) {
      const { signal } = (this.pending = new AbortController());
      await Promise.all(
        CHARTS.map(async (chart) => {
          /** @type {Drawn} */
          let drawn;
          try {
            drawn = await draw(chart, host, this.interval, signal);
          } catch (error) {
            drawn = { times: [], lines: [], error };
          }
          if (!signal.aborted) this.drawn = new Map(this.drawn).set(chart.title, drawn);
        }),
      );
      if (signal.aborted) return;
    }
    if (isLive())
      this.timer = window.setTimeout(() => void this.drawAll(), Math.max(5, bounds().step) * 1000);
  }

  get markers() {
    return this.facts
      .filter(changesProduction)
      .map((fact) => ({
        time: Date.parse(fact.time) / 1000,
        label: `${fact.subject}: ${fact.kind.replaceAll("_", " ")} by ${who(fact.actor)}`,
      }));
  }

  charts() {
    const markers = this.markers;
    return CHARTS.map((chart) => {
      const drawn = this.drawn.get(chart.title);
      return html`<section class="panel" data-chart=${chart.title}>
        <header>
          <h2>${chart.title}</h2>
          <a
            class="end"
            href="/explore?q=${encodeURIComponent(exploreQuery(chart))}"
            aria-label="Explore ${chart.title}"
            >Explore</a
          >
        </header>
        <div class="body">
          ${
            drawn?.error
              ? refusal(drawn.error)
              : drawn
                ? html`<ms-chart
                    .label=${chart.title}
                    .times=${drawn.times}
                    .lines=${drawn.lines}
                    .unit=${chart.unit}
                    .stacked=${chart.stacked ?? false}
                    .top=${chart.top}
                    .markers=${markers}
                  ></ms-chart>`
                : html`<span class="skeleton block"></span>`
          }
        </div>
      </section>`;
    });
  }

  changes() {
    const changes = this.facts.filter(changesProduction).slice(0, CHANGES_SHOWN);
    if (changes.length === 0)
      return empty(
        "Nothing has been changed yet",
        "Changes of flags and other resources appear here, and as marks in every chart.",
        "mainstay flag set new-checkout --default on --reason 'first try'",
      );
    return html`<ol class="changes">
      ${changes.map(
        (fact) =>
          html`<li>
            <span class="when">${time(fact.time)}</span>
            <div>
              <a href=${subjectPath(fact.subject)}>${fact.subject.replace(/^Flag\//, "")}</a>
              <a class="quiet" href="/audit/${fact.seq}"
                >${fact.kind.replace(/^flag_/, "").replaceAll("_", " ")}</a
              >
              <span class="second">by ${who(fact.actor)}</span>
              ${fact.reason ? html`<div class="quiet clip" title=${fact.reason}>${fact.reason}</div>` : nothing}
            </div>
          </li>`,
      )}
    </ol>`;
  }

  render() {
    const { host, status } = this;
    return html`<div class="stack overview">
      <h2 class="visually-hidden">What is broken</h2>
      ${refusal(this.error)}
      <ms-broken .signals=${signals(host, status)} .facts=${this.facts} .host=${host}></ms-broken>
      ${host ? figures(host) : html`<span class="skeleton figures-wait"></span>`}
      <div class="charts">${this.charts()}</div>
      <div class="halves">
        <section class="panel">
          <header>
            <h2>Processes</h2>
            <span class="end"
              >${host ? html`top ${host.processes.length} by CPU, of one core` : nothing}</span
            >
          </header>
          ${host ? processTable(host.processes) : html`<div class="body">${skeleton(8)}</div>`}
        </section>
        <div class="stack">
          <section class="panel">
            <header><h2>Disks</h2></header>
            ${host ? filesystemTable(host.filesystems) : html`<div class="body">${skeleton(3)}</div>`}
          </section>
          <section class="panel">
            <header>
              <h2>Recent changes</h2>
              <a class="end" href="/audit">Audit</a>
            </header>
            <div class="body">${this.changes()}</div>
          </section>
          <section class="panel">
            <header><h2>Mainstay</h2></header>
            <div class="body">${status ? own(status, this.own.samples, this.own.cores) : skeleton(6)}</div>
          </section>
        </div>
      </div>
    </div>`;
  }
}

customElements.define("ms-overview", Overview);
