/** The columns of the lists of tokens, users and sessions. What their buttons do is the page's. */

import { html, nothing } from "../vendor/lit/index.js";
import { badge } from "../elements/notices.js";
import { time } from "../elements/time.js";
import { who } from "../shell/format.js";
import { setPassword, setRole } from "./forms.js";

/** @import { Session, Token, User } from "../shell/words.js" */
/** @import { Column } from "../elements/table.js" */
/** @import { Access } from "./page.js" */

/** @param {Access} page @returns {Column<Token>[]} */
export const tokenColumns = (page) => [
  {
    key: "name",
    label: "Name",
    ascending: true,
    value: (row) => row.name,
    cell: (row) => html`<strong>${row.name}</strong>`,
  },
  { key: "role", label: "Role", ascending: true, value: (row) => row.role, cell: (row) => badge(row.role) },
  {
    key: "expires",
    label: "Expires",
    value: (row) => Date.parse(row.expires ?? ""),
    cell: (row) =>
      html`${row.expires && Date.parse(row.expires) < Date.now() ? badge("expired", "bad") : nothing}
      ${time(row.expires)}`,
  },
  {
    key: "used",
    label: "Last used",
    class: "wide",
    value: (row) => Date.parse(row.lastUsed ?? "") || 0,
    cell: (row) => time(row.lastUsed),
  },
  {
    key: "made",
    label: "Made",
    class: "wide",
    value: (row) => Date.parse(row.created),
    cell: (row) =>
      html`${time(row.created)}${row.createdBy ? html` <span class="sub">by ${who(row.createdBy)}</span>` : nothing}`,
  },
  {
    key: "act",
    label: "",
    number: true,
    cell: (row) =>
      html`<button
        type="button"
        class="small plain switch"
        @click=${() => page.take(`Revoke ${row.name}`, "Whatever uses it is refused from now on.", `tokens/${encodeURIComponent(row.id)}`)}
      >
        Revoke
      </button>`,
  },
];

/** @param {Access} page @returns {Column<User>[]} */
export const userColumns = (page) => [
  {
    key: "name",
    label: "Name",
    ascending: true,
    value: (row) => row.name,
    cell: (row) =>
      html`<strong>${row.name}</strong>
        ${row.name === page.me?.actor.name ? badge("you", "accent") : nothing}${row.disabled ? badge("disabled", "warn") : nothing}`,
  },
  { key: "role", label: "Role", ascending: true, value: (row) => row.role, cell: (row) => badge(row.role) },
  {
    key: "signs",
    label: "Signs in",
    class: "wide",
    cell: (row) => (row.hasPassword ? "by password" : html`<span class="quiet">by link only</span>`),
  },
  {
    key: "created",
    label: "Made",
    class: "wide",
    value: (row) => Date.parse(row.created),
    cell: (row) => time(row.created),
  },
  {
    key: "act",
    label: "",
    number: true,
    cell: (row) =>
      html` <button
          type="button"
          class="small plain"
          @click=${() => setPassword(row.name, () => void page.load())}
        >
          Password
        </button>
        <button
          type="button"
          class="small plain"
          @click=${() => setRole(row.name, row.role, () => void page.load())}
        >
          Role
        </button>
        <button type="button" class="small plain wide" @click=${() => page.link(row.name)}>
          Sign-in link
        </button>
        <button type="button" class="small plain wide" @click=${() => page.able(row)}>
          ${row.disabled ? "Enable" : "Disable"}
        </button>
        <button
          type="button"
          class="small plain switch"
          @click=${() => page.take(`Remove ${row.name}`, "Their sessions end; their facts stay.", `users/${encodeURIComponent(row.name)}`)}
        >
          Remove
        </button>`,
  },
];

/** @param {Access} page @returns {Column<Session>[]} */
export const sessionColumns = (page) => [
  {
    key: "user",
    label: "User",
    ascending: true,
    value: (row) => row.user,
    cell: (row) => html`<strong>${row.user}</strong>`,
  },
  {
    key: "opened",
    label: "Signed in",
    value: (row) => Date.parse(row.opened),
    cell: (row) => time(row.opened, "both"),
  },
  {
    key: "used",
    label: "Last used",
    class: "wide",
    value: (row) => Date.parse(row.lastUsed),
    cell: (row) => time(row.lastUsed),
  },
  {
    key: "expires",
    label: "Ends",
    class: "wide",
    value: (row) => Date.parse(row.expires),
    cell: (row) => time(row.expires),
  },
  {
    key: "act",
    label: "",
    number: true,
    cell: (row) =>
      html`<button
        type="button"
        class="small plain switch"
        @click=${() => page.take(`End the session of ${row.user}`, "They have to sign in () => void page.load().", `sessions/${encodeURIComponent(row.id)}`)}
      >
        End
      </button>`,
  },
];
