/** Who is signed in, the scheme, sign-out. */

import { html, nothing } from "../vendor/lit/index.js";
import { get, remove } from "../shell/api.js";
import { who } from "../shell/format.js";
import { Element, icon } from "./element.js";
import { toastError } from "./toast.js";

/** @import { SignedIn } from "../shell/words.js" */

const SCHEMES = /** @type {const} */ (["auto", "light", "dark"]);

class Account extends Element {
  static properties = { open: { state: true }, session: { state: true } };

  constructor() {
    super();
    this.open = false;
    /** @type {SignedIn | null} */
    this.session = null;
  }

  connectedCallback() {
    super.connectedCallback();
    get("session")
      .then((session) => {
        this.session = session;
      })
      .catch(() => {});
    this.hear("click", (event) => {
      if (!event.composedPath().includes(this)) this.open = false;
    });
    this.hear("keydown", (event) => {
      if (event.key === "Escape") this.open = false;
    });
  }

  get scheme() {
    return document.documentElement.dataset.theme ?? "auto";
  }

  /** @param {string} scheme */
  choose(scheme) {
    if (scheme === "auto") {
      delete document.documentElement.dataset.theme;
      localStorage.removeItem("mainstay.theme");
    } else {
      document.documentElement.dataset.theme = scheme;
      localStorage.setItem("mainstay.theme", scheme);
    }
    window.dispatchEvent(new CustomEvent("ms-theme"));
    this.requestUpdate();
  }

  async signOut() {
    try {
      await remove("session");
      location.assign("/sign-in");
    } catch (error) {
      toastError(error);
    }
  }

  render() {
    const actor = this.session?.actor;
    return html`<div class="account">
      <button
        type="button"
        class="plain square"
        aria-label="Account and appearance"
        aria-expanded=${this.open}
        @click=${() => {
          this.open = !this.open;
        }}
      >
        ${icon("user")}
      </button>
      ${
        this.open
          ? html`<div class="popover stack">
              ${
                actor
                  ? html`<div>
                      <strong>${who(actor)}</strong>
                      <div class="quiet small">${actor.role ?? "no role"}</div>
                    </div>`
                  : nothing
              }
              <div>
                <h3 id="scheme">Appearance</h3>
                <div class="group" role="group" aria-labelledby="scheme">
                  ${SCHEMES.map((scheme) => html`<button type="button" class="small" aria-pressed=${this.scheme === scheme} @click=${() => this.choose(scheme)}>${scheme}</button>`)}
                </div>
              </div>
              <button type="button" @click=${this.signOut}>Sign out</button>
            </div>`
          : nothing
      }
    </div>`;
  }
}

customElements.define("ms-account", Account);
