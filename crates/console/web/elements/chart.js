/**
 * A chart over time. Dragging sets the page's time range, a double click takes it back; the crosshair is shared by
 * every chart of the page; hovering tells values with their unit, and what changed there.
 */

import { html, nothing } from "../vendor/lit/index.js";
import uPlot from "../vendor/uplot/dist/uPlot.esm.js";
import { format, parts } from "../shell/format.js";
import { CHOICES, setRange } from "../shell/range.js";
import { absolute } from "../shell/time.js";
import { Element } from "./element.js";
import { BINARY_STEPS, axisTimes, drawMarkers, scheme, stack } from "./plot.js";

/** @import { Unit } from "../shell/format.js" */
/** @import { Marker } from "./plot.js" */

/** @typedef {{ label: string, values: (number | null)[], colour?: number }} Line */

/** Pixels around a marker that belong to it. */
const NEAR = 5;
/** Lines a tip lists at most. */
const TIP_LINES = 12;

class Chart extends Element {
  static properties = {
    times: {},
    lines: {},
    unit: {},
    stacked: { type: Boolean },
    height: { type: Number },
    markers: {},
    top: {},
    label: {},
    legend: {},
    muted: { state: true },
    cursor: { state: true },
  };

  constructor() {
    super();
    /** Seconds. @type {number[]} */
    this.times = [];
    /** @type {Line[]} */
    this.lines = [];
    /** @type {Unit} */
    this.unit = "short";
    this.stacked = false;
    this.height = 150;
    /** @type {Marker[]} */
    this.markers = [];
    /** The least top of the scale, such as 1 for fractions. @type {number | undefined} */
    this.top = undefined;
    this.label = "Chart";
    this.legend = true;
    /** @type {Set<string>} */
    this.muted = new Set();
    /** @type {{ index: number, left: number, width: number } | null} */
    this.cursor = null;
    /** @type {uPlot | null} */
    this.plot = null;
    this.shape = "";
  }

  connectedCallback() {
    super.connectedCallback();
    const redo = () => {
      this.shape = "";
      this.requestUpdate();
    };
    this.hear("ms-theme", redo);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", redo);
    this.until(() => dark.removeEventListener("change", redo));
    const observer = new ResizeObserver(() => {
      const width = this.clientWidth;
      if (this.plot && width > 0 && width !== this.plot.width)
        this.plot.setSize({ width, height: this.height });
      else if (!this.plot && width > 0) this.requestUpdate();
    });
    observer.observe(this);
    this.until(() => {
      observer.disconnect();
      this.plot?.destroy();
      this.plot = null;
      this.shape = "";
    });
  }

  get visible() {
    return this.lines.filter((line) => !this.muted.has(line.label));
  }

  /** @returns {uPlot.AlignedData} */
  get data() {
    const rows = this.visible.map((line) => line.values);
    return /** @type {any} */ ([this.times, ...(this.stacked ? stack(rows) : rows)]);
  }

  /** @param {Map<string, unknown>} changed */
  updated(changed) {
    if (changed.size === 1 && changed.has("cursor")) return;
    const width = this.clientWidth;
    const holder = this.querySelector(".plot");
    if (width === 0 || !(holder instanceof HTMLElement)) return;
    const shape = JSON.stringify([
      this.visible.map((line) => [line.label, line.colour]),
      this.unit,
      this.stacked,
      this.height,
      this.top,
    ]);
    if (this.plot && shape === this.shape) {
      this.plot.setData(this.data);
      return;
    }
    this.plot?.destroy();
    this.shape = shape;
    this.plot = new uPlot(this.options(width), this.data, holder);
  }

  /** @param {number} width @returns {uPlot.Options} */
  options(width) {
    const colours = scheme(this);
    const visible = this.visible;
    const colourOf = (/** @type {Line} */ line) =>
      colours.series[((line.colour ?? this.lines.indexOf(line) + 1) - 1) % 8] ?? colours.ink;
    return {
      width,
      height: this.height,
      legend: { show: false },
      padding: [10, 16, 0, 0],
      cursor: {
        sync: { key: "page", setSeries: false },
        drag: { x: true, y: false, setScale: false, dist: 6 },
        points: { size: 6 },
        bind: {
          dblclick: () => () => {
            setRange({ relative: sessionStorage.getItem("mainstay.range") ?? CHOICES[1] ?? "15m" });
            return null;
          },
        },
      },
      scales: {
        x: { time: true, range: () => [this.times[0] ?? 0, this.times.at(-1) ?? 1] },
        y: { range: (_plot, low, high) => this.scale(low, high) },
      },
      axes: this.axes(colours),
      series: [
        {},
        ...visible.map((line) => ({
          label: line.label,
          stroke: colourOf(line),
          width: this.stacked ? 1 : 1.5,
          points: { show: false },
          spanGaps: false,
          dash: this.lines.indexOf(line) >= 8 ? [6, 3] : undefined,
          fill: this.stacked
            ? `${colourOf(line)}66`
            : visible.length === 1
              ? `${colourOf(line)}1f`
              : undefined,
        })),
      ],
      bands: this.stacked
        ? visible
            .slice(1)
            .map((_line, index) => ({ series: /** @type {[number, number]} */ ([index + 2, index + 1]) }))
        : [],
      hooks: {
        draw: [(plot) => drawMarkers(plot, this.markers, colours.accent)],
        setCursor: [(plot) => this.point(plot)],
        setSelect: [(plot) => this.select(plot)],
      },
    };
  }

  /** @param {ReturnType<typeof scheme>} colours @returns {uPlot.Axis[]} */
  axes(colours) {
    const unit = this.unit;
    return [
      {
        stroke: colours.quiet,
        font: colours.font,
        grid: { show: false },
        ticks: { stroke: colours.grid, size: 4 },
        size: 24,
        gap: 3,
        space: 70,
        values: axisTimes,
      },
      {
        stroke: colours.quiet,
        font: colours.font,
        grid: { stroke: colours.grid, width: 1 },
        ticks: { show: false },
        size: 58,
        gap: 4,
        space: 32,
        values: (_plot, values) => values.map((value) => format(value, unit)),
        ...(unit.startsWith("bytes") ? { incrs: BINARY_STEPS } : {}),
      },
    ];
  }

  /** @param {number | null} low @param {number | null} high @returns {[number, number]} */
  scale(low, high) {
    const bottom = Math.min(0, low ?? 0);
    const top = Math.max(high ?? 0, this.top ?? 0);
    if (top === bottom) return [bottom, bottom + 1];
    return [bottom < 0 ? bottom * 1.05 : 0, top === this.top ? top : top * 1.08];
  }

  /** @param {uPlot} plot */
  point(plot) {
    const { idx, left } = plot.cursor;
    const over =
      this.matches(":hover") && idx !== null && idx !== undefined && left !== undefined && left >= 0;
    this.cursor = over
      ? { index: idx, left: left + plot.bbox.left / devicePixelRatio, width: plot.width }
      : null;
  }

  /** @param {uPlot} plot */
  select(plot) {
    const { left, width } = plot.select;
    if (width === 0) return;
    if (!this.matches(":hover") || width < 6) {
      plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      return;
    }
    const from = plot.posToVal(left, "x") * 1000;
    const to = plot.posToVal(left + width, "x") * 1000;
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    setRange({ from: Math.floor(from), to: Math.ceil(to) });
  }

  /** @param {string} label @param {boolean} alone */
  toggle(label, alone) {
    const next = new Set(this.muted);
    if (alone) {
      const already = this.visible.length === 1 && !next.has(label);
      next.clear();
      if (!already) for (const line of this.lines) if (line.label !== label) next.add(line.label);
    } else if (!next.delete(label)) next.add(label);
    this.muted = next;
  }

  tip() {
    const cursor = this.cursor;
    if (!cursor) return nothing;
    const at = this.times[cursor.index] ?? 0;
    const shown = this.visible
      .map((line) => ({ line, value: line.values[cursor.index] ?? null }))
      .filter(({ value }) => value !== null);
    if (!this.stacked) shown.sort((a, b) => (b.value ?? 0) - (a.value ?? 0));
    else shown.reverse();
    const span = (this.times.at(-1) ?? 1) - (this.times[0] ?? 0);
    const near = this.markers.filter(
      (marker) => Math.abs(marker.time - at) < (span / cursor.width) * NEAR * 2,
    );
    if (shown.length === 0 && near.length === 0) return nothing;
    const flip = cursor.left > cursor.width / 2;
    return html`<div
      class="tip"
      .style=${`transform: translate(${cursor.left + (flip ? -12 : 12)}px, 8px) translateX(${flip ? "-100%" : "0"})`}
    >
      <div class="when">${absolute(at * 1000)}</div>
      ${shown.slice(0, TIP_LINES).map(
        ({ line, value }) =>
          html`<div class="line">
            <span><i class="swatch k${this.key(line)}"></i> ${line.label}</span
            ><b>${format(value, this.unit)}</b>
          </div>`,
      )}
      ${shown.length > TIP_LINES ? html`<div class="quiet">and ${shown.length - TIP_LINES} more</div>` : nothing}
      ${near.map((marker) => html`<div class="mark">▾ ${marker.label}</div>`)}
    </div>`;
  }

  /** @param {Line} line */
  key(line) {
    return (((line.colour ?? this.lines.indexOf(line) + 1) - 1) % 8) + 1;
  }

  render() {
    const any = this.lines.some((line) => line.values.some((value) => value !== null));
    const index = this.cursor?.index;
    const valueOf = (/** @type {Line} */ line) =>
      index === undefined ? line.values.findLast((value) => value !== null) : line.values[index];
    return html`<div
        class="plot"
        role="img"
        aria-label="${this.label}. ${this.lines
          .slice(0, 8)
          .map((line) => `${line.label} ${format(valueOf(line), this.unit)}`)
          .join(", ")}"
        .style=${`height:${this.height}px`}
      >
        ${any ? nothing : html`<div class="none">${this.times.length > 0 ? "Nothing recorded in this time" : ""}</div>`}
        ${this.tip()}
      </div>
      ${
        this.legend && this.lines.length > 0
          ? html`<div class="legend">
              ${this.lines.map((line) => {
                const [number, name] = parts(valueOf(line), this.unit);
                return html`<button
                  type="button"
                  aria-pressed=${!this.muted.has(line.label)}
                  title="${line.label} – click to hide or show, Alt-click for it alone"
                  @click=${(/** @type {MouseEvent} */ event) => this.toggle(line.label, event.altKey)}
                >
                  <i class="swatch k${this.key(line)}"></i><span>${line.label}</span
                  ><b>${number}<span class="unit">${name}</span></b>
                </button>`;
              })}
            </div>`
          : nothing
      }`;
  }
}

customElements.define("ms-chart", Chart);
