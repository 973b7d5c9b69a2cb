/**
 * A table: sortable, moved through with the keys, and only as many rows in the page as can be seen. Rows have one
 * height, which is what lets thousands scroll.
 */

import { html, nothing } from "../vendor/lit/index.js";
import { repeat } from "../vendor/lit-html/directives/repeat.js";
import { Element } from "./element.js";

/**
 * @template T
 * @typedef {object} Column
 * @property {string} key
 * @property {string} label
 * @property {(row: T) => unknown} [cell] what is shown; the value when absent
 * @property {(row: T) => string | number | null | undefined} [value] what it is sorted by; not sortable when absent
 * @property {boolean} [number] aligned at the right
 * @property {string} [class] such as `wide` (hidden on narrow screens) or `clip`
 * @property {boolean} [ascending] whether the first click sorts upwards
 */

/** Rows beyond what is seen, on either side. */
const SPARE = 8;

class Table extends Element {
  static properties = {
    columns: {},
    rows: {},
    rowKey: {},
    opens: {},
    selected: {},
    sort: { state: true },
    height: {},
    label: {},
    first: { state: true },
    cursor: { state: true },
  };

  constructor() {
    super();
    /** @type {Column<any>[]} */
    this.columns = [];
    /** @type {any[]} */
    this.rows = [];
    /** @type {(row: any) => string | number} */
    this.rowKey = (row) => JSON.stringify(row);
    /** What opening a row does; rows do not open when absent. @type {((row: any) => void) | undefined} */
    this.opens = undefined;
    /** @type {string | number | undefined} */
    this.selected = undefined;
    /** The most it grows to, as CSS. */
    this.height = "none";
    this.label = "";
    /** @type {{ key: string, down: boolean } | null} */
    this.sort = null;
    this.first = 0;
    this.cursor = -1;
    this.rowHeight = 30;
  }

  connectedCallback() {
    super.connectedCallback();
    const observer = new ResizeObserver(() => this.measure());
    observer.observe(this);
    this.until(() => observer.disconnect());
  }

  measure() {
    const row = this.querySelector("tbody tr:not(.filler)");
    const height = row?.getBoundingClientRect().height ?? 0;
    if (height > 0 && Math.abs(height - this.rowHeight) > 0.5) {
      this.rowHeight = height;
      this.requestUpdate();
    }
  }

  get sorted() {
    const { sort } = this;
    const value = this.columns.find((column) => column.key === sort?.key)?.value;
    if (!sort || !value) return this.rows;
    const sign = sort.down ? -1 : 1;
    return [...this.rows].sort((left, right) => {
      const [a, b] = [value(left), value(right)];
      if (a === b) return 0;
      if (a === null || a === undefined) return 1;
      if (b === null || b === undefined) return -1;
      return (
        (typeof a === "number" && typeof b === "number"
          ? a - b
          : String(a).localeCompare(String(b), "en", { numeric: true })) * sign
      );
    });
  }

  /** @param {Column<any>} column */
  order(column) {
    if (this.sort?.key !== column.key)
      this.sort = { key: column.key, down: !(column.ascending ?? !column.number) };
    else this.sort = { key: column.key, down: !this.sort.down };
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const row = event.target instanceof HTMLElement ? event.target.closest("tr[data-index]") : null;
    if (!(row instanceof HTMLElement) || event.target !== row) return;
    const at = Number(row.dataset.index);
    const page = 15;
    const to = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: this.rows.length - 1,
    }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      void this.moveTo(Math.max(0, Math.min(this.rows.length - 1, to)));
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.opens?.(this.sorted[at]);
    }
  }

  /** @param {number} index */
  async moveTo(index) {
    this.cursor = index;
    const box = this.querySelector(".table");
    if (box && this.height !== "none") {
      const top = index * this.rowHeight;
      if (top < box.scrollTop) box.scrollTop = top;
      else if (top + this.rowHeight * 2 > box.scrollTop + box.clientHeight)
        box.scrollTop = top + this.rowHeight * 2 - box.clientHeight;
      this.first = this.firstFor(box);
    }
    await this.updateComplete;
    const row = this.querySelector(`tr[data-index="${index}"]`);
    if (row instanceof HTMLElement) row.focus({ preventScroll: this.height !== "none" });
  }

  /** @param {Element | globalThis.Element} box */
  firstFor(box) {
    return Math.max(0, Math.floor(box.scrollTop / this.rowHeight) - SPARE);
  }

  /** @param {Event} event */
  onScroll(event) {
    const box = /** @type {HTMLElement} */ (event.currentTarget);
    const first = this.firstFor(box);
    if (Math.abs(first - this.first) >= SPARE / 2 || first === 0) this.first = first;
    if (box.scrollTop + box.clientHeight > box.scrollHeight - 400)
      this.dispatchEvent(new CustomEvent("ms-end"));
  }

  /** @param {any} row @param {number} index */
  row(row, index) {
    const key = this.rowKey(row);
    const focusable = index === (this.cursor < 0 ? 0 : this.cursor);
    return html`<tr
      data-index=${index}
      class=${this.opens ? "opens" : ""}
      tabindex=${focusable ? 0 : -1}
      aria-rowindex=${index + 2}
      aria-selected=${this.selected !== undefined && this.selected === key ? "true" : nothing}
      @click=${(/** @type {MouseEvent} */ event) => {
        if (!(
          event.target instanceof globalThis.Element &&
          event.target.closest("a, button, input, select, label")
        ))
          this.opens?.(row);
      }}
    >
      ${this.columns.map((column) => html`<td class="${column.class ?? ""} ${column.number ? "number" : ""}">${column.cell ? column.cell(row) : column.value?.(row)}</td>`)}
    </tr>`;
  }

  /** @param {number} rows */
  filler(rows) {
    return rows > 0
      ? html`<tr class="filler" aria-hidden="true">
          <td colspan=${this.columns.length} .style=${`height:${rows * this.rowHeight}px`}></td>
        </tr>`
      : nothing;
  }

  render() {
    const rows = this.sorted;
    const windowed = this.height !== "none" && rows.length > 60;
    const many = Math.ceil(window.innerHeight / this.rowHeight) + SPARE * 3;
    const first = windowed ? Math.min(this.first, Math.max(0, rows.length - many)) : 0;
    const last = windowed ? Math.min(rows.length, first + many) : rows.length;
    return html`<div
      class="table"
      .style=${`max-height:${this.height}`}
      @scroll=${this.onScroll}
      @keydown=${this.onKey}
    >
      <table aria-label=${this.label} aria-rowcount=${rows.length + 1}>
        <thead>
          <tr>
            ${this.columns.map(
              (column) =>
                html`<th
                  scope="col"
                  class="${column.class?.replace("clip", "") ?? ""} ${column.number ? "number" : ""}"
                  aria-sort=${this.sort?.key === column.key ? (this.sort.down ? "descending" : "ascending") : nothing}
                >
                  ${column.value ? html`<button type="button" @click=${() => this.order(column)}>${column.label}<span aria-hidden="true">${this.sort?.key === column.key ? (this.sort.down ? "↓" : "↑") : ""}</span></button>` : column.label || html`<span class="visually-hidden">${column.key === "act" || column.key === "switch" ? "Actions" : column.key}</span>`}
                </th>`,
            )}
          </tr>
        </thead>
        <tbody>
          ${this.filler(first)}${repeat(
            rows.slice(first, last),
            (row) => this.rowKey(row),
            (row, index) => this.row(row, first + index),
          )}${this.filler(rows.length - last)}
        </tbody>
      </table>
    </div>`;
  }

  updated() {
    this.measure();
  }
}

customElements.define("ms-table", Table);

/**
 * @template T
 * @param {{ label: string, columns: Column<T>[], rows: T[], rowKey: (row: T) => string | number, opens?: (row: T) => void, selected?: string | number, height?: string, onEnd?: () => void }} given
 */
export const table = (given) =>
  html`<ms-table
    .label=${given.label}
    .columns=${given.columns}
    .rows=${given.rows}
    .rowKey=${given.rowKey}
    .opens=${given.opens}
    .selected=${given.selected}
    .height=${given.height ?? "none"}
    @ms-end=${given.onEnd ?? nothing}
  ></ms-table>`;
