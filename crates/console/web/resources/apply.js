/** Applies YAML: checks it, shows the difference, asks for a reason. */

import { html, nothing } from "../vendor/lit/index.js";
import { askReason } from "../elements/dialog.js";
import "../elements/editor.js";
import { Element } from "../elements/element.js";
import { badge, diff, refusal } from "../elements/notices.js";
import { toast } from "../elements/toast.js";
import { Refusal, get, post } from "../shell/api.js";
import { setQuery } from "../shell/router.js";

/** @import { Applied } from "../shell/words.js" */
/** @import { EditorElement } from "../elements/editor.js" */

const FILE = "console.yaml";

class Apply extends Element {
  static properties = { text: {}, kind: {}, plan: { state: true }, error: { state: true } };

  constructor() {
    super();
    /** The YAML to begin with. */
    this.text = "";
    /** The kind whose example is offered when there is no text. */
    this.kind = "";
    /** @type {Applied | null} */
    this.plan = null;
    /** @type {unknown} */
    this.error = null;
  }

  /** @returns {EditorElement | null} */
  get editor() {
    return this.querySelector("ms-editor");
  }

  get documents() {
    return [{ file: FILE, text: this.editor?.value ?? this.text }];
  }

  async example() {
    try {
      const { example } = await get(`kinds/${encodeURIComponent(this.kind)}`);
      if (this.editor) this.editor.value = example ?? "";
    } catch (error) {
      this.error = error;
    }
  }

  async check() {
    try {
      this.plan = await post("resources/diff", { documents: this.documents });
      this.error = null;
      this.editor?.mark([]);
    } catch (error) {
      this.plan = null;
      this.error = error;
      this.point(error);
    }
  }

  /** Marks the lines that the refusal names. @param {unknown} error */
  point(error) {
    const editor = this.editor;
    if (!(error instanceof Refusal) || !editor) return;
    const lines = editor.value.split("\n");
    const startOf = (/** @type {number} */ line) =>
      lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
    editor.mark(
      error.problems
        .filter(({ at }) => at?.line)
        .map(({ at, message, hint }) => {
          const line = at?.line ?? 1;
          const from = startOf(line) + Math.max(0, (at?.column ?? 1) - 1);
          return {
            from,
            to: Math.max(from + 1, startOf(line) + (lines[line - 1]?.length ?? 0)),
            severity: /** @type {const} */ ("error"),
            message: hint ? `${message} – ${hint}` : message,
          };
        }),
    );
  }

  async apply() {
    await this.check();
    const { plan } = this;
    if (!plan) return;
    void askReason({
      title: "Apply",
      body: plan.results.map((result) => html`<p>${result.key} ${badge(result.outcome)}</p>`),
      confirm: "Apply",
      act: async (reason) => {
        const { changeId } = await post("resources/apply", { documents: this.documents, reason });
        toast("Applied.", "ok", changeId ? { href: `/audit?change=${changeId}`, text: changeId } : undefined);
        this.dispatchEvent(new CustomEvent("ms-applied", { bubbles: true }));
        setQuery({ apply: null });
      },
    });
  }

  render() {
    return html`<section class="panel">
      <header>
        <h2>Apply YAML</h2>
        <span class="end"
          ><button type="button" class="link" @click=${() => setQuery({ apply: null })}>Close</button></span
        >
      </header>
      <div class="body stack">
        <ms-editor
          .label=${"Resources, as YAML"}
          .hint=${"apiVersion: mainstay/v1"}
          .value=${this.text}
          @ms-input=${() => {
            this.plan = null;
          }}
          @ms-run=${this.check}
        ></ms-editor>
        ${refusal(this.error)}
        ${
          this.plan
            ? this.plan.results.map(
                (result) =>
                  html`<div>
                    <p>
                      ${result.key} ${badge(result.outcome, result.outcome === "unchanged" ? "" : "accent")}
                    </p>
                    ${diff(result.diff)}
                  </div>`,
              )
            : nothing
        }
        <div class="row">
          <button type="button" class="primary" @click=${this.apply}>Apply…</button
          ><button type="button" @click=${this.check}>Show the difference</button>
          ${this.kind ? html`<button type="button" class="plain" @click=${this.example}>Example of a ${this.kind}</button>` : nothing}
        </div>
      </div>
    </section>`;
  }
}

customElements.define("ms-apply", Apply);
