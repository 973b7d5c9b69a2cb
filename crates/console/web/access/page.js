/** Access: tokens, users, sessions. A token is shown once, when it is made. */

import { html, nothing } from "../vendor/lit/index.js";
import { askReason, openDialog } from "../elements/dialog.js";
import { Element, icon } from "../elements/element.js";
import { commandBox, empty, refusal, skeleton, tabs } from "../elements/notices.js";
import { table } from "../elements/table.js";
import { time } from "../elements/time.js";
import { toast, toastError } from "../elements/toast.js";
import { all, get, post, remove } from "../shell/api.js";
import { sessionColumns, tokenColumns, userColumns } from "./columns.js";
import { addUser, tokenForm } from "./forms.js";

/** @import { Session, SignedIn, Token, User } from "../shell/words.js" */

const VIEWS = /** @type {const} */ (["tokens", "users", "sessions"]);
const HEIGHT = "calc(100vh - 11rem)";

export class Access extends Element {
  static properties = { params: {}, items: { state: true }, error: { state: true }, me: { state: true } };

  constructor() {
    super();
    /** @type {{ view?: string }} */
    this.params = {};
    /** @type {any[] | null} */
    this.items = null;
    /** @type {unknown} */
    this.error = null;
    /** @type {SignedIn | null} */
    this.me = null;
  }

  get kind() {
    return VIEWS.find((view) => view === this.params.view) ?? "tokens";
  }

  connectedCallback() {
    super.connectedCallback();
    get("session")
      .then((me) => {
        this.me = me;
      })
      .catch(() => {});
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    if (changed.has("params")) {
      this.items = null;
      void this.load();
    }
  }

  async load() {
    const { kind } = this;
    try {
      const items = await all(kind);
      if (kind !== this.kind) return;
      this.items = items;
      this.error = null;
    } catch (error) {
      this.error = error;
    }
  }

  /** @param {string} title @param {unknown} body @param {string} path */
  take(title, body, path) {
    void askReason({
      title,
      body,
      confirm: title.split(" ")[0] ?? "Remove",
      danger: true,
      act: async (reason) => {
        await remove(path, { reason });
        toast("Done.");
        await this.load();
      },
    });
  }

  /** Shows what is never shown again. @param {string} title @param {unknown} text @param {string} secret */
  show(title, text, secret) {
    void openDialog(
      title,
      (close) =>
        html`<div class="inside">
          <h2>${title}</h2>
          <p class="second">${text}</p>
          ${commandBox(secret)}
          <div class="actions">
            <button type="button" class="primary" @click=${close}>I have kept it</button>
          </div>
        </div>`,
    );
  }

  /** Lets a user in again, or keeps them out without forgetting them. @param {User} user */
  able(user) {
    const verb = user.disabled ? "Enable" : "Disable";
    void askReason({
      title: `${verb} ${user.name}`,
      body: user.disabled ? "They may sign in again." : "Their sessions and tokens are refused from now on.",
      confirm: verb,
      danger: !user.disabled,
      act: async (reason) => {
        await post(`users/${encodeURIComponent(user.name)}/${verb.toLowerCase()}`, { reason });
        await this.load();
      },
    });
  }

  /** @param {string} user */
  async link(user) {
    try {
      const { url, expires } = await post("links", { user });
      this.show(`Sign-in link for ${user}`, html`It works once, until ${time(expires, "absolute")}.`, url);
    } catch (error) {
      toastError(error);
    }
  }

  tokens() {
    /** @type {Token[]} */
    const rows = this.items ?? [];
    return html`<div class="spread">
        <p class="second">Tokens act for programs: Grafana, CI, an application that evaluates flags.</p>
        <button
          type="button"
          class="primary"
          @click=${() =>
            tokenForm((token) => {
              this.show(
                `Token ${token.name}`,
                "It is shown this once; only a hash of it is kept.",
                token.token,
              );
              void this.load();
            })}
        >
          ${icon("plus")}New token
        </button>
      </div>
      <div class="panel">
        ${
          rows.length === 0
            ? empty(
                "No token yet",
                "Make one here, or in a terminal:",
                "mainstay token create grafana --role viewer --ttl 90d",
              )
            : table({
                label: "Tokens",
                rows,
                rowKey: (row) => row.id,
                height: HEIGHT,
                columns: tokenColumns(this),
              })
        }
      </div>`;
  }

  users() {
    /** @type {User[]} */
    const rows = this.items ?? [];
    return html`<div class="spread">
        <p class="second">
          Viewers read; responders also act in an incident; operators change production; admins change who
          may.
        </p>
        <button type="button" class="primary" @click=${() => addUser(() => void this.load())}>
          ${icon("plus")}New user
        </button>
      </div>
      <div class="panel">
        ${table({
          label: "Users",
          rows,
          rowKey: (row) => row.name,
          height: HEIGHT,
          columns: userColumns(this),
        })}
      </div>`;
  }

  sessions() {
    /** @type {Session[]} */
    const rows = this.items ?? [];
    return html`<div class="panel">
      ${
        rows.length === 0
          ? empty("No session", "Nobody is signed in with a browser.")
          : table({
              label: "Sessions",
              rows,
              rowKey: (row) => row.id,
              height: HEIGHT,
              columns: sessionColumns(this),
            })
      }
    </div>`;
  }

  render() {
    const { kind } = this;
    return html`<div class="stack">
      ${tabs(
        "Access",
        VIEWS.map((view) => ({
          href: `/access/${view}`,
          text: `${view.charAt(0).toUpperCase()}${view.slice(1)}`,
          current: view === kind,
        })),
      )}
      ${refusal(this.error)}
      ${this.error ? nothing : this.items === null ? html`<div class="panel empty">${skeleton(6)}</div>` : this[kind]()}
    </div>`;
  }
}

customElements.define("ms-access", Access);
