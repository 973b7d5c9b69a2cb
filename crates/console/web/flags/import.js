/** flagd's own JSON, in and out: shows what a file would do before it does it. */

import { html, nothing } from "../vendor/lit/index.js";
import { askReason } from "../elements/dialog.js";
import "../elements/editor.js";
import { Element } from "../elements/element.js";
import { badge, diff, refusal } from "../elements/notices.js";
import { toast } from "../elements/toast.js";
import { address, post } from "../shell/api.js";

/** @import { Applied } from "../shell/words.js" */
/** @import { EditorElement } from "../elements/editor.js" */

/** @typedef {Applied & { warnings?: { message?: string, at?: unknown }[] }} Imported */

/** Results shown with their difference; the rest are only counted. */
const SHOWN = 20;

class ImportFlags extends Element {
  static properties = { plan: { state: true }, error: { state: true }, set: { state: true } };

  constructor() {
    super();
    this.set = "default";
    /** @type {Imported | null} */
    this.plan = null;
    /** @type {unknown} */
    this.error = null;
  }

  get text() {
    return /** @type {EditorElement | null} */ (this.querySelector("ms-editor"))?.value ?? "";
  }

  /** @param {Event} event */
  async read(event) {
    const file = /** @type {HTMLInputElement} */ (event.target).files?.[0];
    const editor = /** @type {EditorElement | null} */ (this.querySelector("ms-editor"));
    if (file && editor) editor.value = await file.text();
  }

  /** @param {boolean} dryRun @param {string} [reason] @returns {Promise<Imported>} */
  send(dryRun, reason) {
    return post("flags/import", { flagSet: this.set, text: this.text, dryRun, reason });
  }

  async look() {
    try {
      this.plan = await this.send(true);
      this.error = null;
    } catch (error) {
      this.plan = null;
      this.error = error;
    }
    return this.plan;
  }

  async take() {
    const plan = await this.look();
    if (!plan) return;
    const changed = plan.results.filter(({ outcome }) => outcome !== "unchanged").length;
    void askReason({
      title: `Import into ${this.set}`,
      body: `${changed} of ${plan.results.length} resources change.`,
      confirm: "Import",
      act: async (reason) => {
        const { changeId } = await this.send(false, reason);
        toast(
          "Imported.",
          "ok",
          changeId ? { href: `/audit?change=${changeId}`, text: changeId } : undefined,
        );
        this.plan = null;
      },
    });
  }

  outcome() {
    if (!this.plan) return nothing;
    const { results, warnings = [] } = this.plan;
    return html`${
      warnings.length > 0
        ? html`<div class="note">
            <strong>flagd would ignore or fail on this</strong>
            <ul>
              ${warnings.map((one) => html`<li>${one.message ?? JSON.stringify(one)}</li>`)}
            </ul>
          </div>`
        : nothing
    }
    ${results.slice(0, SHOWN).map(
      (result) =>
        html`<div>
          <p>${result.key} ${badge(result.outcome, result.outcome === "unchanged" ? "" : "accent")}</p>
          ${diff(result.diff)}
        </div>`,
    )}
    ${results.length > SHOWN ? html`<p class="quiet">and ${results.length - SHOWN} more</p>` : nothing}`;
  }

  render() {
    return html`<section class="panel">
      <header>
        <h2>flagd's JSON</h2>
        <a
          class="end"
          href=${address("flags/export", { flagSet: this.set })}
          download="${this.set}.flagd.json"
          data-outside
          >Export ${this.set}</a
        >
      </header>
      <div class="body stack">
        <div class="row">
          <label class="check second"
            >Flag set
            <input
              .value=${this.set}
              @change=${(/** @type {any} */ event) => {
                this.set = event.target.value.trim() || "default";
              }}
          /></label>
          <label class="check second"
            >File <input type="file" accept="application/json,.json" @change=${this.read}
          /></label>
        </div>
        <ms-editor
          .language=${"json"}
          .label=${"A flagd file"}
          .hint=${'{ "flags": { … } }'}
          @ms-input=${() => {
            this.plan = null;
          }}
        ></ms-editor>
        ${refusal(this.error)} ${this.outcome()}
        <div class="row">
          <button type="button" class="primary" @click=${this.take}>Import…</button
          ><button type="button" @click=${this.look}>Show what it does</button>
        </div>
      </div>
    </section>`;
  }
}

customElements.define("ms-import-flags", ImportFlags);
