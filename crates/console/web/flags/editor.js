/** Edits what a flag decides: a form where the targeting is simple enough, JSON otherwise and on demand. */

import { html, nothing } from "../vendor/lit/index.js";
import { askReason } from "../elements/dialog.js";
import "../elements/editor.js";
import { Element } from "../elements/element.js";
import { diff } from "../elements/notices.js";
import { toast } from "../elements/toast.js";
import { post } from "../shell/api.js";
import { difference } from "./lines.js";
import { readRules, writeRules } from "./rules.js";
import { outcome, rulesForm } from "./form.js";

/** @import { FlagDetail } from "../shell/words.js" */
/** @import { Rules } from "./rules.js" */

/** @typedef {{ state: string, defaultVariant: string | null, variants: Record<string, unknown>, targeting: unknown }} Body */

class RuleEditor extends Element {
  static properties = {
    flag: {},
    environment: {},
    draft: { state: true },
    json: { state: true },
    jsonText: { state: true },
    wrong: { state: true },
  };

  constructor() {
    super();
    /** @type {FlagDetail | null} */
    this.flag = null;
    /** The environment whose override is edited; empty for the flag itself. */
    this.environment = "";
    /** @type {Body | null} */
    this.draft = null;
    this.json = false;
    /** The JSON as typed, while it is edited. */
    this.jsonText = "";
    this.wrong = "";
    this.begunAt = 0;
  }

  /** What is in force, before any edit. @returns {Body} */
  get original() {
    const spec = this.flag?.resource.spec ?? {};
    const override = this.environment ? (spec.environments?.[this.environment] ?? {}) : {};
    const { state, defaultVariant, variants, targeting } = { ...spec, ...override };
    return {
      state: state ?? "ENABLED",
      defaultVariant: defaultVariant ?? null,
      variants: variants ?? {},
      targeting: targeting ?? null,
    };
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    const moved = changed.has("flag") && (this.draft === null || !this.dirty || changed.get("flag") === null);
    if (moved || changed.has("environment")) this.begin();
  }

  begin() {
    this.draft = structuredClone(this.original);
    this.begunAt = this.flag?.resource.metadata.version ?? 0;
    this.jsonText = JSON.stringify(this.draft, null, 2);
    this.wrong = "";
    const editor = this.querySelector("ms-editor");
    if (editor) /** @type {any} */ (editor).value = this.jsonText;
  }

  get change() {
    return difference(this.original, this.draft);
  }

  get dirty() {
    return this.wrong !== "" || this.change !== "";
  }

  /** @param {Partial<Body>} part */
  edit(part) {
    if (!this.draft) return;
    this.draft = { ...this.draft, ...part };
    this.jsonText = JSON.stringify(this.draft, null, 2);
  }

  /** @param {string} text */
  editJson(text) {
    this.jsonText = text;
    try {
      const { state, defaultVariant, variants, targeting } = JSON.parse(text);
      this.draft = {
        state: state ?? "ENABLED",
        defaultVariant: defaultVariant ?? null,
        variants: variants ?? {},
        targeting: targeting ?? null,
      };
      this.wrong = "";
    } catch (error) {
      this.wrong = error instanceof Error ? error.message : String(error);
    }
  }

  save() {
    const { flag, draft, original } = this;
    if (!flag || !draft) return;
    /** Only what was changed is sent, so that two people can change different parts. @type {Record<string, unknown>} */
    const parts = {};
    for (const name of /** @type {(keyof Body)[]} */ (Object.keys(draft))) {
      if (JSON.stringify(draft[name]) !== JSON.stringify(original[name])) parts[name] = draft[name];
    }
    void askReason({
      title: `Change ${flag.key}${this.environment ? ` in ${this.environment}` : ""}`,
      body: diff(this.change),
      confirm: "Save",
      danger: draft.state !== original.state && draft.state === "DISABLED",
      act: async (reason) => {
        const { changeId, version } = await post(`flags/${encodeURIComponent(flag.key)}/set`, {
          ...parts,
          reason,
          version: this.begunAt,
          environment: this.environment || undefined,
        });
        toast(
          `${flag.key} is at version ${version}.`,
          "ok",
          changeId ? { href: `/audit?change=${changeId}`, text: changeId } : undefined,
        );
        this.draft = null;
        this.dispatchEvent(new CustomEvent("ms-changed", { bubbles: true }));
      },
    });
  }

  variants() {
    const variants = Object.entries(this.draft?.variants ?? {});
    const put = (/** @type {[string, unknown][]} */ entries) =>
      this.edit({ variants: Object.fromEntries(entries) });
    const value = (/** @type {number} */ at, /** @type {string} */ text) => {
      try {
        const parsed = JSON.parse(text);
        put(variants.map((entry, index) => (index === at ? [entry[0], parsed] : entry)));
        return true;
      } catch {
        return false;
      }
    };
    return html`<fieldset>
      <legend>Variants</legend>
      ${variants.map(
        ([name, given], at) =>
          html`<div class="row variant">
            <input
              aria-label="Variant name"
              .value=${name}
              @change=${(/** @type {any} */ event) => put(variants.map((entry, index) => (index === at ? [event.target.value, entry[1]] : entry)))}
            />
            <input
              class="grow mono"
              aria-label="Value of ${name}, as JSON"
              .value=${JSON.stringify(given)}
              @change=${(/** @type {any} */ event) => event.target.setAttribute("aria-invalid", String(!value(at, event.target.value)))}
            />
            <button
              type="button"
              class="plain small"
              aria-label="Remove ${name}"
              @click=${() => put(variants.filter((_entry, index) => index !== at))}
            >
              Remove
            </button>
          </div>`,
      )}
      <button
        type="button"
        class="small"
        @click=${() => put([...variants, [`variant-${variants.length + 1}`, variants[0]?.[1] ?? true]])}
      >
        Add a variant
      </button>
    </fieldset>`;
  }

  form() {
    const { draft } = this;
    if (!draft) return nothing;
    const names = Object.keys(draft.variants);
    const rules = readRules(draft.targeting);
    return html`<div class="stack">
      <div class="fields">
        <label class="field"
          >State<select @change=${(/** @type {any} */ event) => this.edit({ state: event.target.value })}>
            ${["ENABLED", "DISABLED"].map((state) => html`<option value=${state} ?selected=${state === draft.state}>${state.toLowerCase()}</option>`)}
          </select></label
        >
        <label class="field"
          >Default variant<select
            @change=${(/** @type {any} */ event) => this.edit({ defaultVariant: event.target.value || null })}
          >
            <option value="" ?selected=${draft.defaultVariant === null}>none: the caller's own</option>
            ${names.map((name) => html`<option value=${name} ?selected=${name === draft.defaultVariant}>${name}</option>`)}
          </select></label
        >
      </div>
      ${
        rules
          ? rulesForm(rules, names, (/** @type {Rules} */ next) => this.edit({ targeting: writeRules(next) }))
          : html`<div class="note">
              This targeting is more than the form can show.
              <button
                type="button"
                class="link"
                @click=${() => {
                  this.json = true;
                }}
              >
                Edit it as JSON
              </button>
            </div>`
      }
      ${this.variants()}
    </div>`;
  }

  render() {
    const { flag } = this;
    if (!flag || !this.draft) return nothing;
    const stale = this.begunAt !== (flag.resource.metadata.version ?? 0);
    return html`<div class="spread">
        <div class="group" role="group" aria-label="Edit as">
          <button
            type="button"
            class="small"
            aria-pressed=${!this.json}
            @click=${() => {
              this.json = false;
            }}
          >
            Form
          </button>
          <button
            type="button"
            class="small"
            aria-pressed=${this.json}
            @click=${() => {
              this.json = true;
            }}
          >
            JSON
          </button>
        </div>
        <span class="quiet small">version ${this.begunAt || "–"}</span>
      </div>
      ${stale && this.dirty ? html`<div class="note" role="status">Someone changed this flag to version ${flag.resource.metadata.version} meanwhile. <button type="button" class="link" @click=${() => this.begin()}>Start over from it</button></div>` : nothing}
      ${this.json ? html`<ms-editor .language=${"json"} .label=${"What the flag decides, as JSON"} .value=${this.jsonText} @ms-input=${(/** @type {CustomEvent<string>} */ event) => this.editJson(event.detail)}></ms-editor>` : this.form()}
      ${this.wrong ? html`<p class="bad small" role="alert">${this.wrong}</p>` : nothing}
      <div class="row">
        <button
          type="button"
          class="primary"
          ?disabled=${!this.dirty || this.wrong !== ""}
          @click=${this.save}
        >
          Save…
        </button>
        <button type="button" ?disabled=${!this.dirty} @click=${() => this.begin()}>Discard</button>
        ${this.json || !this.draft ? nothing : html`<span class="quiet small">${outcome(readRules(this.draft.targeting), this.draft)}</span>`}
      </div>`;
  }
}

customElements.define("ms-rule-editor", RuleEditor);
