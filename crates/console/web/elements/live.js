/** Says whether what the page shows is fresh. */

import { html, nothing } from "../vendor/lit/index.js";
import { freshness } from "../shell/live.js";
import { brief } from "../shell/time.js";
import { Element } from "./element.js";

class Live extends Element {
  connectedCallback() {
    super.connectedCallback();
    this.hear("ms-live", () => this.requestUpdate());
  }

  render() {
    const { state, since } = freshness();
    if (state === "idle") return nothing;
    if (state === "live")
      return html`<span class="live" role="status" title="Updates arrive as they happen">Live</span>`;
    if (state === "waiting") return html`<span class="live waiting" role="status">Connecting</span>`;
    return html`<span class="live stale" role="status" title="No update since ${brief(since)}; reconnecting"
      >Stale since ${brief(since)}</span
    >`;
  }
}

customElements.define("ms-live", Live);
