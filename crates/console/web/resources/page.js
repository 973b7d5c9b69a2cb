/** Resources: everything declared, by kind; one as YAML with its history; applying YAML with a look at the difference first. */

import { html, nothing } from "../vendor/lit/index.js";
import { askReason } from "../elements/dialog.js";
import { Element } from "../elements/element.js";
import "../elements/history.js";
import { commandBox, empty, refusal, skeleton } from "../elements/notices.js";
import { table } from "../elements/table.js";
import { time } from "../elements/time.js";
import { toast } from "../elements/toast.js";
import { address, all, get, getText, remove } from "../shell/api.js";
import { who } from "../shell/format.js";
import { watch } from "../shell/live.js";
import { flagPath, navigate, query, setQuery } from "../shell/router.js";
import "./apply.js";
import { COLUMNS } from "./columns.js";

/** @import { Kind, Resource, Status } from "../shell/words.js" */

class Resources extends Element {
  static properties = {
    params: {},
    kinds: { state: true },
    items: { state: true },
    yaml: { state: true },
    one: { state: true },
    error: { state: true },
    drift: { state: true },
  };

  constructor() {
    super();
    /** @type {{ kind?: string, name?: string }} */
    this.params = {};
    /** @type {Kind[]} */
    this.kinds = [];
    /** @type {Resource[] | null} */
    this.items = null;
    /** @type {string | null} */
    this.yaml = null;
    /** @type {Resource | null} */
    this.one = null;
    /** @type {unknown} */
    this.error = null;
    /** @type {Status["resources"] | null} */
    this.drift = null;
    /** @type {number | undefined} */
    this.soon = undefined;
  }

  connectedCallback() {
    super.connectedCallback();
    get("kinds")
      .then(({ items }) => {
        this.kinds = items;
      })
      .catch(() => {});
    get("status")
      .then(({ resources }) => {
        this.drift = resources;
      })
      .catch(() => {});
    this.hear("ms-route", () => this.requestUpdate());
    this.until(
      watch(address("resources/watch"), {
        resource: () => {
          clearTimeout(this.soon);
          this.soon = window.setTimeout(() => void this.load(), 300);
        },
      }),
    );
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    if (!changed.has("params")) return;
    const { kind, name } = this.params;
    this.dispatchEvent(
      new CustomEvent("ms-title", { bubbles: true, detail: name ? `${kind}/${name}` : "Resources" }),
    );
    void this.load();
  }

  get path() {
    return `resources/${encodeURIComponent(this.params.kind ?? "")}/${encodeURIComponent(this.params.name ?? "")}`;
  }

  async load() {
    const { kind, name } = this.params;
    try {
      if (kind && name) {
        const [one, yaml] = await Promise.all([get(this.path), getText(this.path, { format: "yaml" })]);
        [this.one, this.yaml] = [one, yaml];
      } else {
        [this.one, this.yaml] = [null, null];
        this.items = await all("resources", { kind });
      }
      this.error = null;
    } catch (error) {
      this.error = error;
    }
  }

  remove() {
    const { kind, name } = this.params;
    void askReason({
      title: `Delete ${kind}/${name}`,
      body: "Its history stays in the ledger.",
      confirm: "Delete",
      danger: true,
      act: async (reason) => {
        await remove(this.path, { reason, version: this.one?.metadata.version });
        toast(`${kind}/${name} was deleted.`);
        navigate("/resources");
      },
    });
  }

  driftNote() {
    const drift = this.drift;
    if (!drift || (!drift.drift?.length && !drift.error)) return nothing;
    return html`<div class="note">
      <strong>${drift.error ? "The folder cannot be applied" : "What runs differs from the folder"}</strong>
      <span class="second">${drift.dir ?? ""}</span> ${
        drift.error
          ? html`<p>${drift.error}</p>`
          : html`<ul>
              ${drift.drift.map(({ key, what }) => html`<li><a href="/resources/${key}">${key}</a>: ${what}</li>`)}
            </ul>`
      }
    </div>`;
  }

  list() {
    const wanted = (query().get("q") ?? "").toLowerCase();
    const rows = (this.items ?? []).filter(({ kind, metadata }) =>
      `${kind}/${metadata.name} ${JSON.stringify(metadata.labels ?? {})}`.toLowerCase().includes(wanted),
    );
    return html`<div class="row">
        <input
          class="grow"
          type="search"
          data-search
          aria-label="Filter resources"
          placeholder="Filter by name or label"
          .value=${query().get("q") ?? ""}
          @input=${(/** @type {any} */ event) => setQuery({ q: event.target.value }, { replace: true })}
        />
        <select
          aria-label="Kind"
          @change=${(/** @type {any} */ event) => navigate(`/resources${event.target.value ? `/${event.target.value}` : ""}`)}
        >
          <option value="">Every kind</option>
          ${this.kinds.map(({ kind }) => html`<option value=${kind} ?selected=${kind === this.params.kind}>${kind}</option>`)}
        </select>
        <button type="button" class="primary" @click=${() => setQuery({ apply: "1" })}>Apply YAML</button>
      </div>
      ${query().get("apply") ? html`<ms-apply .kind=${this.params.kind ?? this.kinds[0]?.kind ?? ""} @ms-applied=${() => this.load()}></ms-apply>` : nothing}
      ${this.driftNote()}
      <div class="panel">
        ${
          this.items === null
            ? html`<div class="empty">${skeleton(8)}</div>`
            : rows.length === 0
              ? empty(
                  "No resource fits",
                  "What people declare is a resource, kept in YAML. Apply a file, or keep a git folder applied:",
                  "mainstay serve --resources ./production",
                )
              : table({
                  label: "Resources",
                  rows,
                  rowKey: (row) => `${row.kind}/${row.metadata.name}`,
                  height: "calc(100vh - 9rem)",
                  opens: (row) => navigate(`/resources/${row.kind}/${encodeURIComponent(row.metadata.name)}`),
                  columns: COLUMNS,
                })
        }
      </div>`;
  }

  detail() {
    const { kind = "", name = "" } = this.params;
    const { one } = this;
    if (!one || one.metadata.name !== name || one.kind !== kind)
      return this.error
        ? html`<p><a href="/resources">All resources</a></p>`
        : html`<div class="panel empty">${skeleton(8)}</div>`;
    return html`<div class="row">
        <a href="/resources">Resources</a> <span class="quiet">/</span>
        <a href="/resources/${kind}">${kind}</a> <span class="quiet">/</span>
        <strong class="flag-key">${name}</strong>
        <span class="grow"></span
        >${kind === "Flag" ? html`<a class="button" href=${flagPath(name)}>Open the flag</a>` : nothing}
        <button type="button" @click=${() => setQuery({ apply: query().get("apply") ? null : "1" })}>
          Edit YAML</button
        ><button type="button" class="danger" @click=${this.remove}>Delete</button>
      </div>
      ${query().get("apply") ? html`<ms-apply .text=${this.yaml ?? ""} @ms-applied=${() => this.load()}></ms-apply>` : nothing}
      <div class="halves">
        <section class="panel">
          <header>
            <h2>YAML</h2>
            <span class="end"
              >version ${one.metadata.version ?? "–"}, changed ${time(one.status?.changed)} by
              ${who(one.status?.changedBy)}</span
            >
          </header>
          <div class="body">${commandBox(this.yaml ?? "")}</div>
        </section>
        <section class="panel">
          <header>
            <h2>History</h2>
            <a class="end" href="/audit?subject=${encodeURIComponent(`${kind}/${name}`)}">Facts</a>
          </header>
          <div class="body">
            <ms-history
              .subject=${`${encodeURIComponent(kind)}/${encodeURIComponent(name)}`}
              .revision=${one.metadata.version ?? 0}
            ></ms-history>
          </div>
        </section>
      </div>`;
  }

  render() {
    return html`<div class="stack">
      ${refusal(this.error)}${this.params.name ? this.detail() : this.list()}
    </div>`;
  }
}

customElements.define("ms-resources", Resources);
