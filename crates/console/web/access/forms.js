/** The forms of access: a new token, a new user, a role, a password. Each stays open with the refusal if it is refused. */

import { html } from "../vendor/lit/index.js";
import { askForm } from "../elements/dialog.js";
import { toast } from "../elements/toast.js";
import { post } from "../shell/api.js";

const ROLES = ["viewer", "responder", "operator", "admin"];

/** @param {string} chosen */
const roleField = (chosen) =>
  html`<label class="field"
    >Role<select name="role">
      ${ROLES.map((role) => html`<option ?selected=${role === chosen}>${role}</option>`)}
    </select></label
  >`;

const reasonField = html`<label class="field"
  >Reason<input
    name="reason"
    maxlength="500"
    placeholder="Why, for whoever reads the ledger"
    autocomplete="off"
/></label>`;

/** @param {boolean} required */
const passwordField = (required) =>
  html`<label class="field"
    >Password<input
      name="password"
      type="password"
      autocomplete="new-password"
      minlength="10"
      ?required=${required}
    /><small
      >At least 10 characters.${required ? "" : " Leave it empty to hand out a sign-in link instead."}</small
    ></label
  >`;

/** @param {(token: { name: string, token: string }) => void} done */
export function tokenForm(done) {
  return askForm(
    "New token",
    "Make it",
    html` <label class="field"
        >Name<input name="name" required autofocus autocomplete="off" placeholder="grafana"
      /></label>
      ${roleField("viewer")}
      <label class="field"
        >Lasts<select name="ttl">
          ${[
            ["7d", "7 days"],
            ["30d", "30 days"],
            ["90d", "90 days"],
            ["1y", "a year"],
          ].map(
            ([value, text]) =>
              html`<option value=${value ?? ""} ?selected=${value === "90d"}>${text}</option>`,
          )}
        </select></label
      >${reasonField}`,
    async ({ name, role, ttl, reason }) => done(await post("tokens", { name, role, ttl, reason })),
  );
}

/** @param {() => void} done */
export function addUser(done) {
  return askForm(
    "New user",
    "Add",
    html` <label class="field"
        >Name<input name="name" required autofocus autocomplete="off" autocapitalize="none" placeholder="ada"
      /></label>
      ${roleField("viewer")}${passwordField(false)}${reasonField}`,
    async ({ name, role, password, reason }) => {
      await post("users", { name, role, password: password || undefined, reason });
      toast(`${name} was added.`);
      done();
    },
  );
}

/** @param {string} name @param {() => void} done */
export function setPassword(name, done) {
  return askForm(
    `Password of ${name}`,
    "Set it",
    html`${passwordField(true)}
      <p class="quiet small">Their other sessions end.</p>`,
    async ({ password }) => {
      await post(`users/${encodeURIComponent(name)}/password`, { password });
      toast("The password is set.");
      done();
    },
  );
}

/** @param {string} name @param {string} now @param {() => void} done */
export function setRole(name, now, done) {
  return askForm(
    `Role of ${name}`,
    "Change it",
    html`${roleField(now)}${reasonField}`,
    async ({ role, reason }) => {
      await post(`users/${encodeURIComponent(name)}/role`, { role, reason });
      toast(`${name} is now ${role}.`);
      done();
    },
  );
}
