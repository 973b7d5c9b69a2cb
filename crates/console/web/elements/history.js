/** Who changed a resource, when, why, and what: newest first, with diffs. */

import { html, nothing } from "../vendor/lit/index.js";
import { get } from "../shell/api.js";
import { who } from "../shell/format.js";
import { Element } from "./element.js";
import { diff, refusal, skeleton } from "./notices.js";
import { time } from "./time.js";

/** @import { Revision } from "../shell/words.js" */

class History extends Element {
  static properties = {
    subject: {},
    revision: {},
    items: { state: true },
    next: { state: true },
    error: { state: true },
  };

  constructor() {
    super();
    /** `Kind/name`, each encoded for an address. */
    this.subject = "";
    /** A change of it means: load again. */
    this.revision = 0;
    /** @type {Revision[] | null} */
    this.items = null;
    /** @type {string | undefined} */
    this.next = undefined;
    /** @type {unknown} */
    this.error = null;
  }

  /** @param {Map<string, unknown>} changed */
  updated(changed) {
    if (changed.has("subject") || changed.has("revision")) void this.load();
  }

  /** @param {string} [page] */
  async load(page) {
    try {
      const answer = await get(`resources/${this.subject}/history`, { limit: 20, page });
      this.items = page ? [...(this.items ?? []), ...answer.items] : answer.items;
      this.next = answer.nextPage;
      this.error = null;
    } catch (error) {
      this.error = error;
    }
  }

  render() {
    if (this.error) return refusal(this.error);
    if (!this.items) return skeleton(4);
    if (this.items.length === 0) return html`<p class="quiet">Never changed.</p>`;
    return html`<ol class="history">
        ${this.items.map(
          (item, at) =>
            html`<li>
              <details ?open=${at === 0}>
                <summary>
                  <span class="when">${time(item.time)}</span> <strong>${who(item.actor)}</strong>
                  <span class="second">${item.kind.replaceAll("_", " ")}</span>
                  ${item.version ? html`<span class="quiet">version ${item.version}</span>` : nothing}
                  ${item.reason ? html`<span class="reason">“${item.reason}”</span>` : nothing}
                </summary>
                ${diff(item.diff)}
                <p class="quiet small">
                  <a href="/audit/${item.seq}">fact ${item.seq}</a
                  >${item.changeId ? html` · <a href="/audit?change=${item.changeId}">${item.changeId}</a>` : nothing}
                </p>
              </details>
            </li>`,
        )}
      </ol>
      ${this.next ? html`<button type="button" class="small" @click=${() => this.load(this.next)}>Older</button>` : nothing}`;
  }
}

customElements.define("ms-history", History);
