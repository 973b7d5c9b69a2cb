/** The page of an address that leads nowhere. */

import { html } from "../vendor/lit/index.js";
import { Element } from "../elements/element.js";

class Nowhere extends Element {
  render() {
    return html`<div class="panel empty">
      <h2>There is no page here</h2>
      <p>Nothing is at <code>${location.pathname}</code>.</p>
      <p>Press <kbd>Ctrl K</kbd> to look for it, or go to the <a href="/">overview</a>.</p>
    </div>`;
  }
}

customElements.define("ms-nowhere", Nowhere);
