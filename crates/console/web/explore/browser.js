/** Every metric: type, help, how many series. Choosing one asks for it. */

import { html, nothing } from "../vendor/lit/index.js";
import { Element } from "../elements/element.js";
import { badge, empty, refusal, skeleton } from "../elements/notices.js";
import { table } from "../elements/table.js";
import { count } from "../shell/format.js";
import { metadata, metricNames, seriesCounts } from "../shell/prom.js";

/** @typedef {{ name: string, type: string, help: string, series: number | null }} Metric */

class Browser extends Element {
  static properties = { metrics: { state: true }, filter: { state: true }, error: { state: true } };

  constructor() {
    super();
    /** @type {Metric[] | null} */
    this.metrics = null;
    this.filter = "";
    /** @type {unknown} */
    this.error = null;
  }

  connectedCallback() {
    super.connectedCallback();
    void this.load();
  }

  async load() {
    try {
      const [names, about] = await Promise.all([metricNames(), metadata()]);
      const describe = (/** @type {string} */ name) =>
        about[name]?.[0] ?? about[name.replace(/_(bucket|count|sum|total)$/, "")]?.[0];
      this.metrics = names.map((name) => ({
        name,
        type: describe(name)?.type ?? "",
        help: describe(name)?.help ?? "",
        series: null,
      }));
    } catch (error) {
      this.error = error;
      return;
    }
    try {
      const counts = await seriesCounts();
      this.metrics = this.metrics.map((metric) => ({ ...metric, series: counts.get(metric.name) ?? 0 }));
    } catch {
      // The list is of use without its counts.
    }
  }

  /** @param {string} name */
  choose(name) {
    this.dispatchEvent(new CustomEvent("ms-metric", { bubbles: true, detail: name }));
  }

  render() {
    if (this.error) return refusal(this.error);
    if (!this.metrics) return html`<div class="panel empty">${skeleton(8)}</div>`;
    const wanted = this.filter.toLowerCase();
    const shown = this.metrics.filter((metric) =>
      `${metric.name} ${metric.help}`.toLowerCase().includes(wanted),
    );
    const total = this.metrics.reduce((sum, metric) => sum + (metric.series ?? 0), 0);
    return html`<section class="panel">
      <header>
        <h2>Metrics</h2>
        <span class="end"
          >${count(this.metrics.length)} names${total > 0 ? html`, ${count(total)} series` : nothing}</span
        >
      </header>
      <div class="body">
        <input
          type="search"
          aria-label="Filter metrics"
          placeholder="Filter by name or help"
          @input=${(/** @type {any} */ event) => {
            this.filter = event.target.value;
          }}
        />
      </div>
      ${
        shown.length === 0
          ? empty("No metric fits", "Change the filter.")
          : table({
              label: "Metrics",
              rows: shown,
              rowKey: (row) => row.name,
              height: "26rem",
              opens: (row) => this.choose(row.name),
              columns: [
                {
                  key: "name",
                  label: "Name",
                  ascending: true,
                  value: (row) => row.name,
                  cell: (row) => html`<code>${row.name}</code>`,
                },
                {
                  key: "type",
                  label: "Type",
                  ascending: true,
                  class: "wide",
                  value: (row) => row.type,
                  cell: (row) => (row.type ? badge(row.type) : nothing),
                },
                {
                  key: "series",
                  label: "Series",
                  number: true,
                  value: (row) => row.series ?? 0,
                  cell: (row) =>
                    row.series === null ? html`<span class="quiet">…</span>` : count(row.series),
                },
                {
                  key: "help",
                  label: "Help",
                  class: "clip wide",
                  cell: (row) => html`<span class="second" title=${row.help}>${row.help}</span>`,
                },
              ],
            })
      }
    </section>`;
  }
}

customElements.define("ms-metrics", Browser);
