/** A time: relative, with the absolute and its zone at hand; or the other way round. */

import { html } from "../vendor/lit/index.js";
import { absolute, brief, relative } from "../shell/time.js";
import { Element } from "./element.js";

/** Relative times move on together. */
const shown = new Set();
setInterval(() => {
  for (const element of shown) element.requestUpdate();
}, 10_000);

class Time extends Element {
  static properties = { at: {}, form: {} };

  constructor() {
    super();
    /** RFC 3339, or ms. @type {string | number | undefined} */
    this.at = undefined;
    /** @type {"relative" | "absolute" | "both"} */
    this.form = "relative";
  }

  connectedCallback() {
    super.connectedCallback();
    shown.add(this);
    this.until(() => shown.delete(this));
  }

  render() {
    if (!this.at) return html`<span class="quiet">never</span>`;
    const ms = new Date(this.at).getTime();
    const exact = absolute(this.at);
    const machine = Number.isNaN(ms) ? "" : new Date(ms).toISOString();
    if (this.form === "absolute")
      return html`<time datetime=${machine} title=${relative(ms)}>${exact}</time>`;
    if (this.form === "both") {
      return html`<time datetime=${machine} title=${exact}
        >${brief(this.at)} <span class="quiet">· ${relative(ms)}</span></time
      >`;
    }
    return html`<time datetime=${machine} title=${exact}>${relative(ms)}</time>`;
  }
}

customElements.define("ms-time", Time);

/**
 * @param {string | number | undefined} at
 * @param {"relative" | "absolute" | "both"} [form]
 */
export const time = (at, form = "relative") => html`<ms-time .at=${at} .form=${form}></ms-time>`;
