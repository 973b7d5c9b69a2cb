/** Access: tokens, users, sessions. A token is shown once, when it is made. */

import { html, nothing } from "../vendor/lit/index.js";
import { askReason, openDialog } from "../elements/dialog.js";
import { Element, icon } from "../elements/element.js";
import { badge, commandBox, empty, refusal, skeleton, tabs } from "../elements/notices.js";
import { table } from "../elements/table.js";
import { time } from "../elements/time.js";
import { toast, toastError } from "../elements/toast.js";
import { all, get, post, remove } from "../shell/api.js";
import { who } from "../shell/format.js";
import { addUser, setPassword, setRole, tokenForm } from "./forms.js";

/** @import { Session, SignedIn, Token, User } from "../shell/words.js" */

const VIEWS = /** @type {const} */ (["tokens", "users", "sessions"]);
const HEIGHT = "calc(100vh - 11rem)";

class Access extends Element {
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
    get("session").then((me) => { this.me = me; }).catch(() => {});
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
      title, body, confirm: title.split(" ")[0] ?? "Remove", danger: true,
      act: async (reason) => {
        await remove(path, { reason });
        toast("Done.");
        await this.load();
      },
    });
  }

  /** Shows what is never shown again. @param {string} title @param {unknown} text @param {string} secret */
  show(title, text, secret) {
    void openDialog(title, (close) => html`<div class="inside"><h2>${title}</h2><p class="second">${text}</p>${commandBox(secret)}<div class="actions"><button type="button" class="primary" @click=${close}>I have kept it</button></div></div>`);
  }

  /** Lets a user in again, or keeps them out without forgetting them. @param {User} user */
  able(user) {
    const verb = user.disabled ? "Enable" : "Disable";
    void askReason({
      title: `${verb} ${user.name}`, body: user.disabled ? "They may sign in again." : "Their sessions and tokens are refused from now on.", confirm: verb, danger: !user.disabled,
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
    return html`<div class="spread"><p class="second">Tokens act for programs: Grafana, CI, an application that evaluates flags.</p>
        <button type="button" class="primary" @click=${() => tokenForm((token) => { this.show(`Token ${token.name}`, "It is shown this once; only a hash of it is kept.", token.token); void this.load(); })}>${icon("plus")}New token</button></div>
      <div class="panel">${rows.length === 0 ? empty("No token yet", "Make one here, or in a terminal:", "mainstay token create grafana --role viewer --ttl 90d") : table({
        label: "Tokens", rows, rowKey: (row) => row.id, height: HEIGHT,
        columns: [
          { key: "name", label: "Name", ascending: true, value: (row) => row.name, cell: (row) => html`<strong>${row.name}</strong>` },
          { key: "role", label: "Role", ascending: true, value: (row) => row.role, cell: (row) => badge(row.role) },
          { key: "expires", label: "Expires", value: (row) => Date.parse(row.expires ?? ""), cell: (row) => html`${row.expires && Date.parse(row.expires) < Date.now() ? badge("expired", "bad") : nothing} ${time(row.expires)}` },
          { key: "used", label: "Last used", class: "wide", value: (row) => Date.parse(row.lastUsed ?? "") || 0, cell: (row) => time(row.lastUsed) },
          { key: "made", label: "Made", class: "wide", value: (row) => Date.parse(row.created), cell: (row) => html`${time(row.created)}${row.createdBy ? html` <span class="sub">by ${who(row.createdBy)}</span>` : nothing}` },
          { key: "act", label: "", number: true, cell: (row) => html`<button type="button" class="small plain switch" @click=${() => this.take(`Revoke ${row.name}`, "Whatever uses it is refused from now on.", `tokens/${encodeURIComponent(row.id)}`)}>Revoke</button>` },
        ],
      })}</div>`;
  }

  users() {
    /** @type {User[]} */
    const rows = this.items ?? [];
    const again = () => void this.load();
    return html`<div class="spread"><p class="second">Viewers read; responders also act in an incident; operators change production; admins change who may.</p>
        <button type="button" class="primary" @click=${() => addUser(again)}>${icon("plus")}New user</button></div>
      <div class="panel">${table({
        label: "Users", rows, rowKey: (row) => row.name, height: HEIGHT,
        columns: [
          { key: "name", label: "Name", ascending: true, value: (row) => row.name, cell: (row) => html`<strong>${row.name}</strong> ${row.name === this.me?.actor.name ? badge("you", "accent") : nothing}${row.disabled ? badge("disabled", "warn") : nothing}` },
          { key: "role", label: "Role", ascending: true, value: (row) => row.role, cell: (row) => badge(row.role) },
          { key: "signs", label: "Signs in", class: "wide", cell: (row) => (row.hasPassword ? "by password" : html`<span class="quiet">by link only</span>`) },
          { key: "created", label: "Made", class: "wide", value: (row) => Date.parse(row.created), cell: (row) => time(row.created) },
          { key: "act", label: "", number: true, cell: (row) => html`
            <button type="button" class="small plain" @click=${() => setPassword(row.name, again)}>Password</button>
            <button type="button" class="small plain" @click=${() => setRole(row.name, row.role, again)}>Role</button>
            <button type="button" class="small plain wide" @click=${() => this.link(row.name)}>Sign-in link</button>
            <button type="button" class="small plain wide" @click=${() => this.able(row)}>${row.disabled ? "Enable" : "Disable"}</button>
            <button type="button" class="small plain switch" @click=${() => this.take(`Remove ${row.name}`, "Their sessions end; their facts stay.", `users/${encodeURIComponent(row.name)}`)}>Remove</button>` },
        ],
      })}</div>`;
  }

  sessions() {
    /** @type {Session[]} */
    const rows = this.items ?? [];
    return html`<div class="panel">${rows.length === 0 ? empty("No session", "Nobody is signed in with a browser.") : table({
      label: "Sessions", rows, rowKey: (row) => row.id, height: HEIGHT,
      columns: [
        { key: "user", label: "User", ascending: true, value: (row) => row.user, cell: (row) => html`<strong>${row.user}</strong>` },
        { key: "opened", label: "Signed in", value: (row) => Date.parse(row.opened), cell: (row) => time(row.opened, "both") },
        { key: "used", label: "Last used", class: "wide", value: (row) => Date.parse(row.lastUsed), cell: (row) => time(row.lastUsed) },
        { key: "expires", label: "Ends", class: "wide", value: (row) => Date.parse(row.expires), cell: (row) => time(row.expires) },
        { key: "act", label: "", number: true, cell: (row) => html`<button type="button" class="small plain switch" @click=${() => this.take(`End the session of ${row.user}`, "They have to sign in again.", `sessions/${encodeURIComponent(row.id)}`)}>End</button>` },
      ],
    })}</div>`;
  }

  render() {
    const { kind } = this;
    return html`<div class="stack">
      ${tabs("Access", VIEWS.map((view) => ({ href: `/access/${view}`, text: `${view.charAt(0).toUpperCase()}${view.slice(1)}`, current: view === kind })))}
      ${refusal(this.error)}
      ${this.error ? nothing : this.items === null ? html`<div class="panel empty">${skeleton(6)}</div>` : this[kind]()}
    </div>`;
  }
}

customElements.define("ms-access", Access);
