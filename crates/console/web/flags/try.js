/** What would this user get? Evaluates with a context as typed; not counted as usage. */

import { html, nothing } from "../vendor/lit/index.js";
import "../elements/editor.js";
import { Element } from "../elements/element.js";
import { badge, refusal } from "../elements/notices.js";
import { post } from "../shell/api.js";
import { query, setQuery } from "../shell/router.js";

/** @import { Evaluation } from "../shell/words.js" */

const REASONS = /** @type {Record<string, string>} */ ({
  STATIC: "no targeting; the default variant",
  TARGETING_MATCH: "a rule decided",
  DEFAULT: "no rule fitted; the default variant",
  SPLIT: "the split decided",
  DISABLED: "the flag is off",
  ERROR: "it could not be evaluated",
  CACHED: "remembered",
  UNKNOWN: "unknown",
});

class TryBox extends Element {
  static properties = { flagKey: {}, environment: {}, answer: { state: true }, error: { state: true } };

  constructor() {
    super();
    this.flagKey = "";
    this.environment = "";
    /** @type {Evaluation | null} */
    this.answer = null;
    /** @type {unknown} */
    this.error = null;
    this.text = query().get("context") ?? '{\n  "targetingKey": "user-1"\n}';
  }

  connectedCallback() {
    super.connectedCallback();
    if (query().has("context")) void this.evaluate();
  }

  async evaluate() {
    this.error = null;
    try {
      const context = JSON.parse(this.text);
      setQuery({ context: JSON.stringify(context) }, { replace: true });
      this.answer = await post(`flags/${encodeURIComponent(this.flagKey)}/evaluate`, {
        context,
        environment: this.environment || undefined,
      });
    } catch (error) {
      this.answer = null;
      this.error = error instanceof SyntaxError ? `The context is not JSON: ${error.message}` : error;
    }
  }

  render() {
    const { answer } = this;
    return html`<div class="stack">
      <ms-editor
        .language=${"json"}
        .label=${"Context, as JSON"}
        .value=${this.text}
        @ms-input=${(/** @type {CustomEvent<string>} */ event) => {
          this.text = event.detail;
        }}
        @ms-run=${this.evaluate}
      ></ms-editor>
      <div class="row">
        <button type="button" @click=${this.evaluate}>Evaluate</button
        ><span class="quiet small">Not counted as usage. <kbd>Ctrl</kbd> <kbd>Enter</kbd></span>
      </div>
      ${typeof this.error === "string" ? html`<p class="bad small" role="alert">${this.error}</p>` : refusal(this.error)}
      ${
        answer
          ? html`<dl class="facts" role="status">
              <dt>Variant</dt>
              <dd>
                ${answer.variant ? html`<strong>${answer.variant}</strong>` : html`<span class="quiet">none: the caller's own default</span>`}
              </dd>
              <dt>Value</dt>
              <dd><code>${JSON.stringify(answer.value)}</code></dd>
              <dt>Why</dt>
              <dd>
                ${badge(answer.reason, answer.errorCode ? "bad" : "accent")}
                <span class="second">${REASONS[answer.reason] ?? ""}</span>
              </dd>
              ${
                answer.errorCode
                  ? html`<dt>Error</dt>
                      <dd class="bad">${answer.errorCode} ${answer.errorDetails}</dd>`
                  : nothing
              }
            </dl>`
          : nothing
      }
    </div>`;
  }
}

customElements.define("ms-try", TryBox);
