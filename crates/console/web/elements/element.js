/**
 * The base of every element: Lit without a shadow root, so that one design system reaches everything and labels,
 * focus and search in the page work as in plain HTML.
 */

import { LitElement, html } from "../vendor/lit/index.js";

/** @import { TemplateResult } from "../vendor/lit-html/lit-html.js" */

export class Element extends LitElement {
  constructor() {
    super();
    /** @type {(() => void)[]} */
    this.endings = [];
  }

  createRenderRoot() {
    return this;
  }

  /**
   * Runs with the element: `start` when it enters the page, what it gives back when it leaves.
   * @param {() => void} ending
   */
  until(ending) {
    this.endings.push(ending);
  }

  /**
   * Listens on the window while the element is in the page.
   * @param {string} name
   * @param {(event: any) => void} handle
   */
  hear(name, handle) {
    window.addEventListener(name, handle);
    this.until(() => window.removeEventListener(name, handle));
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    for (const ending of this.endings.splice(0)) ending();
  }
}

/**
 * An icon of style/icons.svg.
 * @param {string} name
 * @returns {TemplateResult}
 */
export const icon = (name) =>
  html`<svg class="icon" aria-hidden="true"><use href="/assets/style/icons.svg#${name}"></use></svg>`;
