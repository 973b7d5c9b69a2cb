/** The columns of the list of resources. */

import { html } from "../vendor/lit/index.js";
import { badge } from "../elements/notices.js";
import { time } from "../elements/time.js";
import { who } from "../shell/format.js";

/** @import { Resource } from "../shell/words.js" */
/** @import { Column } from "../elements/table.js" */

/** @type {Column<Resource>[]} */
export const COLUMNS = [
  { key: "kind", label: "Kind", ascending: true, value: (row) => row.kind, cell: (row) => badge(row.kind) },
  {
    key: "name",
    label: "Name",
    ascending: true,
    class: "clip",
    value: (row) => row.metadata.name,
    cell: (row) =>
      html`<a href="/resources/${row.kind}/${encodeURIComponent(row.metadata.name)}"
        >${row.metadata.name}</a
      >`,
  },
  {
    key: "labels",
    label: "Labels",
    class: "wide nowrap",
    cell: (row) =>
      Object.entries(row.metadata.labels ?? {})
        .slice(0, 4)
        .map(([name, value]) => html`${badge(`${name}=${value}`)} `),
  },
  {
    key: "version",
    label: "Version",
    number: true,
    class: "wide",
    value: (row) => row.metadata.version ?? 0,
    cell: (row) => row.metadata.version ?? "–",
  },
  {
    key: "changed",
    label: "Changed",
    class: "nowrap",
    value: (row) => Date.parse(row.status?.changed ?? ""),
    cell: (row) => html`${time(row.status?.changed)} <span class="sub">${who(row.status?.changedBy)}</span>`,
  },
  {
    key: "kept",
    label: "Kept by",
    class: "wide nowrap",
    ascending: true,
    value: (row) => row.status?.managedBy ?? "",
    cell: (row) => row.status?.managedBy ?? html`<span class="quiet">hand</span>`,
  },
];
