/** The result of a query at one moment, as a table with a column per label. */

import { html } from "../vendor/lit/index.js";
import { table } from "../elements/table.js";
import { format } from "../shell/format.js";

/** @import { Unit } from "../shell/format.js" */
/** @import { Sample } from "./page.js" */
/** @import { Column } from "../elements/table.js" */

/** Labels that get a column of their own; the others stand together. */
const COLUMNS = 6;

/**
 * @param {Sample[]} samples
 * @param {Unit} unit
 */
export function sampleTable(samples, unit) {
  /** @type {Map<string, Set<string>>} */
  const values = new Map();
  for (const { labels } of samples) {
    for (const [name, value] of Object.entries(labels))
      values.set(name, (values.get(name) ?? new Set()).add(value));
  }
  // What tells the series apart comes first.
  const names = [...values.keys()].sort(
    (a, b) => (values.get(b)?.size ?? 0) - (values.get(a)?.size ?? 0) || a.localeCompare(b),
  );
  const shown = names.slice(0, COLUMNS);
  const rest = names.slice(COLUMNS);
  /** @type {Column<Sample>[]} */
  const columns = shown.map((name, at) => ({
    key: name,
    label: name === "__name__" ? "metric" : name,
    ascending: true,
    class: at > 1 ? "wide" : "",
    value: (row) => row.labels[name] ?? "",
    cell: (row) => html`<code>${row.labels[name] ?? ""}</code>`,
  }));
  if (rest.length > 0) {
    columns.push({
      key: " rest",
      label: "other labels",
      class: "clip wide",
      cell: (row) =>
        html`<code class="quiet"
          >${rest
            .filter((name) => row.labels[name])
            .map((name) => `${name}=${row.labels[name]}`)
            .join(" ")}</code
        >`,
    });
  }
  columns.push({
    key: " value",
    label: "value",
    number: true,
    value: (row) => row.value,
    cell: (row) =>
      html`<span title=${row.text}>${Number.isNaN(row.value) ? row.text : format(row.value, unit)}</span
        >${unit === "short" ? "" : html` <span class="sub wide">${row.text}</span>`}`,
  });
  return table({
    label: "Result",
    rows: samples,
    rowKey: (row) => JSON.stringify(row.labels),
    columns,
    height: "calc(100vh - 16rem)",
  });
}
