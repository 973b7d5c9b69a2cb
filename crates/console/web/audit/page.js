/** The audit: the ledger, searched and followed; one fact in full; the chain verified. */

import { html, nothing } from "../vendor/lit/index.js";
import { Element, icon } from "../elements/element.js";
import { empty, refusal, skeleton } from "../elements/notices.js";
import { table } from "../elements/table.js";
import { time } from "../elements/time.js";
import { address, get, post } from "../shell/api.js";
import { who } from "../shell/format.js";
import { watch } from "../shell/live.js";
import { navigate, query, setQuery, subjectPath } from "../shell/router.js";
import { factPanel, verdictLine } from "./fact.js";

/** @import { Fact } from "../shell/words.js" */

const PAGE = 100;
const FILTERS = /** @type {const} */ (["q", "chapter", "kind", "actor", "subject", "change", "from", "to"]);

class Audit extends Element {
  static properties = {
    params: {},
    facts: { state: true },
    next: { state: true },
    error: { state: true },
    fact: { state: true },
    factError: { state: true },
    verdict: { state: true },
    busy: { state: true },
    wide: { state: true },
    chapters: { state: true },
  };

  constructor() {
    super();
    /** @type {{ seq?: string }} */
    this.params = {};
    /** Newest first. @type {Fact[] | null} */
    this.facts = null;
    /** @type {string | undefined} */
    this.next = undefined;
    /** @type {unknown} */
    this.error = null;
    /** @type {Fact | null} */
    this.fact = null;
    /** @type {unknown} */
    this.factError = null;
    /** @type {any} */
    this.verdict = null;
    this.busy = false;
    /** @type {string[]} */
    this.chapters = ["flags", "security"];
    /** Whether a narrow screen shows every filter. */
    this.wide = false;
    this.loaded = "";
    /** @type {AbortController | null} */
    this.pending = null;
    /** @type {number | undefined} */
    this.typing = undefined;
    /** @type {(() => void) | null} */
    this.following = null;
  }

  connectedCallback() {
    super.connectedCallback();
    this.hear("ms-route", () => this.follow());
    this.until(() => {
      this.pending?.abort();
      this.following?.();
    });
    this.follow();
    get("kinds")
      .then(({ items }) => {
        const own = items.map((/** @type {{ chapter: string }} */ kind) => kind.chapter);
        this.chapters = [...new Set([...own, "security"])].sort();
      })
      .catch(() => {});
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    if (!changed.has("params")) return;
    this.dispatchEvent(
      new CustomEvent("ms-title", {
        bubbles: true,
        detail: this.params.seq ? `Fact ${this.params.seq}` : "Audit",
      }),
    );
    if (this.params.seq) void this.open(this.params.seq);
    else [this.fact, this.factError] = [null, null];
  }

  /** The filters of the address. @returns {Record<string, string>} */
  get filters() {
    const search = query();
    return Object.fromEntries(FILTERS.map((name) => [name, search.get(name) ?? ""]));
  }

  follow() {
    this.requestUpdate();
    const filters = JSON.stringify(this.filters);
    if (filters === this.loaded) return;
    this.loaded = filters;
    void this.load();
  }

  /** Loads the newest facts that fit. */
  async load() {
    this.pending?.abort();
    this.following?.();
    this.pending = new AbortController();
    this.facts = null;
    this.next = undefined;
    await this.more(this.pending.signal);
    this.tail();
  }

  /** Loads older facts that fit. @param {AbortSignal} [signal] */
  async more(signal) {
    const { from, to, ...filters } = this.filters;
    this.busy = true;
    try {
      const answer = await get(
        "facts",
        { ...filters, since: from, until: to, order: "desc", limit: PAGE, page: this.next },
        signal,
      );
      this.next = answer.nextPage;
      this.facts = [...(this.facts ?? []), ...answer.items];
      this.error = null;
    } catch (error) {
      if (signal?.aborted) return;
      this.error = error;
    }
    this.busy = false;
  }

  /** Follows the ledger's end, where the filters allow it. */
  tail() {
    this.following?.();
    const { chapter, subject, kind, actor, change, q, to } = this.filters;
    if (to || !this.isConnected) return;
    this.following = watch(address("facts/watch", { chapter, subject, after: this.facts?.[0]?.seq }), {
      fact: (/** @type {Fact} */ fact) => {
        const fits =
          (!kind || fact.kind === kind) &&
          (!actor || `${fact.actor.kind}:${fact.actor.name}` === actor) &&
          (!change || fact.change === change) &&
          (!q ||
            JSON.stringify([fact.subject, fact.reason, fact.payload])
              .toLowerCase()
              .includes(q.toLowerCase()));
        if (!fits || this.facts?.some(({ seq }) => seq === fact.seq)) return;
        this.facts = [fact, ...(this.facts ?? [])];
      },
    });
  }

  /** @param {string | number} seq */
  async open(seq) {
    try {
      this.fact = this.facts?.find((fact) => fact.seq === Number(seq)) ?? (await get(`facts/${seq}`));
      this.factError = null;
    } catch (error) {
      this.fact = null;
      this.factError = error;
    }
  }

  /** Shows a fact beside the list; the address is that of the fact, without loading the page anew. @param {Fact} fact */
  select(fact) {
    navigate(`/audit/${fact.seq}${location.search}`);
  }

  async verify() {
    this.verdict = "busy";
    try {
      this.verdict = await post("ledger/verify");
    } catch (error) {
      this.verdict = error;
    }
  }

  /** @param {string} name @param {string} value */
  type(name, value) {
    clearTimeout(this.typing);
    this.typing = window.setTimeout(() => setQuery({ [name]: value }, { replace: true }), 250);
  }

  filterBar() {
    const filters = this.filters;
    const text = (/** @type {string} */ name, /** @type {string} */ label, /** @type {string} */ hint) =>
      html`<input
        aria-label=${label}
        placeholder=${hint}
        .value=${filters[name] ?? ""}
        @input=${(/** @type {any} */ event) => this.type(name, event.target.value.trim())}
      />`;
    const when = (/** @type {string} */ name, /** @type {string} */ label) =>
      html`<label class="check small second"
        >${label}
        <input
          type="datetime-local"
          .value=${filters[name] ? localTime(filters[name] ?? "") : ""}
          @change=${(/** @type {any} */ event) => setQuery({ [name]: event.target.value ? new Date(event.target.value).toISOString() : null })}
      /></label>`;
    const some = FILTERS.some((name) => filters[name]);
    return html`<div class="row filters">
      <input
        class="grow"
        type="search"
        data-search
        aria-label="Search the ledger"
        placeholder="Search subject, reason, payload"
        .value=${filters.q ?? ""}
        @input=${(/** @type {any} */ event) => this.type("q", event.target.value)}
      />
      <button
        type="button"
        class="toggle"
        aria-expanded=${this.wide}
        @click=${() => {
          this.wide = !this.wide;
        }}
      >
        Filters
      </button>
      <select
        aria-label="Chapter"
        @change=${(/** @type {any} */ event) => setQuery({ chapter: event.target.value })}
      >
        <option value="">Every chapter</option>
        ${[...new Set([...this.chapters, ...(filters.chapter ? [filters.chapter] : [])])].map((chapter) => html`<option value=${chapter} ?selected=${chapter === filters.chapter}>${chapter}</option>`)}
      </select>
      ${text("actor", "Actor", "actor, user:ada")} ${text("subject", "Subject", "subject, Flag/…")}
      ${text("change", "Change", "chg-…")} ${when("from", "From")} ${when("to", "To")}
      ${some ? html`<button type="button" class="plain" @click=${() => navigate("/audit")}>Clear</button>` : nothing}
      <button type="button" ?disabled=${this.verdict === "busy"} @click=${this.verify}>
        ${icon("ok")}Verify the chain
      </button>
    </div>`;
  }

  list() {
    if (this.error && !this.facts) return nothing;
    if (!this.facts) return html`<div class="panel empty">${skeleton(12)}</div>`;
    if (this.facts.length === 0)
      return html`<div class="panel">
        ${empty("No fact fits", "Everything that people decide or that Mainstay does is a fact. Change the filter, or make one:", "mainstay flag enable new-checkout --reason 'a first fact'")}
      </div>`;
    return html`<div class="panel">
        ${table({
          label: "Facts, newest first",
          rows: this.facts,
          rowKey: (fact) => fact.seq,
          height: "calc(100vh - 9.5rem)",
          opens: (fact) => this.select(fact),
          selected: this.fact?.seq,
          onEnd: () => {
            if (this.next && !this.busy) void this.more();
          },
          columns: [
            {
              key: "seq",
              label: "Fact",
              number: true,
              cell: (fact) => html`<a href="/audit/${fact.seq}${location.search}">${fact.seq}</a>`,
            },
            { key: "time", label: "Time", class: "nowrap", cell: (fact) => time(fact.time, "both") },
            {
              key: "kind",
              label: "What",
              class: "nowrap",
              cell: (fact) =>
                html`${fact.kind.replaceAll("_", " ")} <span class="sub wide">${fact.chapter}</span>`,
            },
            {
              key: "subject",
              label: "About",
              class: "nowrap",
              cell: (fact) =>
                fact.subject ? html`<a href=${subjectPath(fact.subject)}>${fact.subject}</a>` : nothing,
            },
            { key: "actor", label: "Who", class: "wide nowrap", cell: (fact) => who(fact.actor) },
            {
              key: "reason",
              label: "Why",
              class: "clip wide",
              cell: (fact) => html`<span class="second" title=${fact.reason}>${fact.reason}</span>`,
            },
          ],
        })}
      </div>
      ${this.busy ? html`<span class="quiet" role="status">Loading…</span>` : this.next ? html`<button type="button" @click=${() => this.more()}>Older facts</button>` : nothing}`;
  }

  render() {
    return html`<div class="stack audit ${this.wide ? "more" : ""}">
      ${this.filterBar()}${verdictLine(this.verdict)}${refusal(this.error)}
      <div class=${this.fact || this.factError ? "halves beside" : ""}>
        <div class="stack">${this.list()}</div>
        ${this.factError ? refusal(this.factError) : this.fact ? factPanel(this.fact) : nothing}
      </div>
    </div>`;
  }
}

/** A time as a local date field takes it. @param {string} at */
function localTime(at) {
  const date = new Date(at);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

customElements.define("ms-audit", Audit);
