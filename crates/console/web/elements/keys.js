/** The keys, shown by `?`. */

import { html } from "../vendor/lit/index.js";
import { openDialog } from "./dialog.js";

const KEYS = /** @type {const} */ ([
  [["Ctrl", "K"], "Go to a flag, metric, resource, change or page"],
  [["/"], "Search on this page"],
  [["?"], "These keys"],
  [["g", "o"], "Overview"],
  [["g", "e"], "Explore"],
  [["g", "f"], "Flags"],
  [["g", "r"], "Resources"],
  [["g", "a"], "Audit"],
  [["g", "c"], "Access"],
  [["↑", "↓"], "Move in a table or list"],
  [["Enter"], "Open; in a query, run it"],
  [["Shift", "Enter"], "New line in a query"],
  [["Esc"], "Close"],
]);

export function showKeys() {
  void openDialog(
    "Keys",
    (close) =>
      html`<div class="inside">
        <div class="spread">
          <h2>Keys</h2>
          <button type="button" class="small" autofocus @click=${close}>Close</button>
        </div>
        <dl class="keys">
          ${KEYS.map(
            ([keys, what]) =>
              html`<dt>${keys.map((key) => html`<kbd>${key}</kbd> `)}</dt>
                <dd>${what}</dd>`,
          )}
        </dl>
      </div>`,
  );
}
