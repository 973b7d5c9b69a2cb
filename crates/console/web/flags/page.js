/** Every flag: state, rollout, age, evaluations, debt; a kill switch in one click. */

import { html, nothing } from "../vendor/lit/index.js";
import { Element } from "../elements/element.js";
import { empty, refusal, skeleton, tabs } from "../elements/notices.js";
import { table } from "../elements/table.js";
import { address, all, get } from "../shell/api.js";
import { watch } from "../shell/live.js";
import { flagPath, navigate, query, setQuery } from "../shell/router.js";
import { debtChips } from "./switch.js";
import { flagColumns } from "./columns.js";
import "./create.js";
import "./import.js";

/** @import { Flag, Debt } from "../shell/words.js" */

class Flags extends Element {
  static properties = { flags: { state: true }, debt: { state: true }, error: { state: true }, params: {} };

  constructor() {
    super();
    /** @type {Flag[] | null} */
    this.flags = null;
    /** @type {Debt[] | null} */
    this.debt = null;
    /** @type {unknown} */
    this.error = null;
    this.params = {};
    /** @type {number | undefined} */
    this.soon = undefined;
  }

  connectedCallback() {
    super.connectedCallback();
    void this.load();
    this.hear("ms-route", () => this.requestUpdate());
    this.until(
      watch(address("facts/watch", { chapter: "flags" }), {
        fact: () => {
          clearTimeout(this.soon);
          this.soon = window.setTimeout(() => void this.load(), 300);
        },
      }),
    );
  }

  async load() {
    try {
      const [flags, debt] = await Promise.all([all("flags"), get("flags/debt")]);
      this.flags = /** @type {Flag[]} */ (flags);
      this.debt = debt.items;
      this.error = null;
    } catch (error) {
      this.error = error;
    }
  }

  /** The flags that the filters of the address let through. */
  get shown() {
    const search = query();
    const text = (search.get("q") ?? "").toLowerCase();
    const [state, set, owner] = [search.get("state"), search.get("set"), search.get("owner")];
    return (this.flags ?? []).filter(
      (flag) =>
        (!text || `${flag.key} ${flag.owner ?? ""} ${flag.rollout.summary}`.toLowerCase().includes(text)) &&
        (!state || flag.state === state) &&
        (!set || flag.flagSet === set) &&
        (!owner || flag.owner === owner),
    );
  }

  /** @param {string} name @param {string} label @param {string[]} values */
  choice(name, label, values) {
    const chosen = query().get(name) ?? "";
    if (values.length < 2) return nothing;
    return html`<select
      aria-label=${label}
      @change=${(/** @type {any} */ event) => setQuery({ [name]: event.target.value })}
    >
      <option value="" ?selected=${!chosen}>${label}: any</option>
      ${values.map((value) => html`<option value=${value} ?selected=${value === chosen}>${value.toLowerCase()}</option>`)}
    </select>`;
  }

  list() {
    const flags = this.flags;
    if (!flags) return html`<div class="panel empty">${skeleton(10)}</div>`;
    if (flags.length === 0) {
      return html`<div class="panel">
        ${empty("No flag yet", html`Make one <a href="/flags?view=new">here</a>, apply one from a file, or import flagd's own JSON.`, "mainstay flag import flags.flagd.json --reason 'from flagd'")}
      </div>`;
    }
    const distinct = (/** @type {(string | undefined)[]} */ values) =>
      [...new Set(values)].filter((value) => value !== undefined).sort();
    const shown = this.shown;
    return html`<div class="row">
        <input
          class="grow"
          type="search"
          data-search
          aria-label="Filter flags"
          placeholder="Filter by key, owner or rollout"
          .value=${query().get("q") ?? ""}
          @input=${(/** @type {any} */ event) => setQuery({ q: event.target.value }, { replace: true })}
        />
        ${this.choice("state", "State", distinct(flags.map((flag) => flag.state)))}
        ${this.choice("set", "Flag set", distinct(flags.map((flag) => flag.flagSet)))}
        ${this.choice("owner", "Owner", distinct(flags.map((flag) => flag.owner)))}
        <span class="quiet" role="status"
          >${shown.length === flags.length ? `${flags.length} flags` : `${shown.length} of ${flags.length} flags`}</span
        >
      </div>
      <div class="panel">
        ${
          shown.length === 0
            ? empty("No flag fits", "Change or clear the filter.")
            : table({
                label: "Flags",
                rows: shown,
                rowKey: (flag) => flag.key,
                height: "calc(100vh - 11rem)",
                opens: (flag) => navigate(flagPath(flag.key)),
                columns: flagColumns(() => void this.load()),
              })
        }
      </div>`;
  }

  debtList() {
    const { debt } = this;
    if (!debt) return html`<div class="panel empty">${skeleton(5)}</div>`;
    if (debt.length === 0)
      return html`<div class="panel">
        ${empty("No debt", "No flag is expired, one-sided or never evaluated. To also find flags that no code refers to, let the command line look:", "mainstay flag debt --code .")}
      </div>`;
    return html`<div class="panel">
        ${table({
          label: "Flag debt",
          rows: debt,
          rowKey: (row) => row.key,
          opens: (row) => navigate(flagPath(row.key)),
          columns: [
            {
              key: "key",
              label: "Flag",
              ascending: true,
              value: (row) => row.key,
              cell: (row) => html`<a href=${flagPath(row.key)}>${row.key}</a>`,
            },
            {
              key: "owner",
              label: "Owner",
              ascending: true,
              class: "wide",
              value: (row) => row.owner ?? "",
              cell: (row) => row.owner ?? html`<span class="quiet">nobody</span>`,
            },
            {
              key: "debt",
              label: "Debt",
              value: (row) => row.reasons.length,
              cell: (row) => debtChips(row.reasons.map((reason) => reason.code)),
            },
            {
              key: "text",
              label: "Why",
              class: "clip wide",
              cell: (row) => row.reasons.map((reason) => reason.text).join(" "),
            },
          ],
        })}
      </div>
      <p class="quiet">
        To also find flags that no code refers to: <code>mainstay flag debt --code .</code>
      </p>`;
  }

  render() {
    const view = query().get("view") ?? "";
    return html`<div class="stack">
      <div class="spread">
        ${tabs("Flags", [
          { href: "/flags", text: "All", count: this.flags?.length, current: view === "" },
          { href: "/flags?view=debt", text: "Debt", count: this.debt?.length, current: view === "debt" },
          { href: "/flags?view=new", text: "New flag", current: view === "new" },
          { href: "/flags?view=import", text: "Import", current: view === "import" },
        ])}
      </div>
      ${refusal(this.error)}
      ${view === "debt" ? this.debtList() : view === "new" ? html`<ms-new-flag></ms-new-flag>` : view === "import" ? html`<ms-import-flags></ms-import-flags>` : this.list()}
    </div>`;
  }
}

customElements.define("ms-flags", Flags);
