/** The kill switch and the badges of a flag; shared by the list and the page of one flag. */

import { html, nothing } from "../vendor/lit/index.js";
import { askReason } from "../elements/dialog.js";
import { badge } from "../elements/notices.js";
import { toast } from "../elements/toast.js";
import { post } from "../shell/api.js";

/** @import { Flag } from "../shell/words.js" */

const DEBT = /** @type {Record<string, string>} */ ({
  expired: "expired",
  one_sided: "one-sided",
  never_evaluated: "never evaluated",
  unreferenced: "unreferenced",
});

/** @param {string[]} codes */
export const debtChips = (codes) =>
  codes.map((code) => html`${badge(DEBT[code] ?? code, code === "expired" ? "bad" : "warn")} `);

/** @param {Flag} flag */
export const stateBadge = (flag) =>
  html`${flag.state === "ENABLED" ? badge("enabled", "ok") : badge("disabled")}${
    flag.differsIn?.length ? html` <span class="quiet small">not in ${flag.differsIn.join(", ")}</span>` : ""
  }`;

/**
 * Asks for a reason and turns a flag off or on.
 * @param {Flag} flag
 * @param {() => void} done
 * @param {string} [environment]
 */
export function flip(flag, done, environment) {
  const off = flag.state === "ENABLED";
  const verb = off ? "disable" : "enable";
  return askReason({
    title: `${off ? "Turn off" : "Turn on"} ${flag.key}${environment ? ` in ${environment}` : ""}`,
    body: off
      ? html`Every caller gets its own default at
        once.${flag.evaluations24h ? html` It was asked for ${flag.evaluations24h.toLocaleString("en")} times in the last 24 h.` : nothing}`
      : html`Its rules decide again: ${flag.rollout.summary}.`,
    confirm: off ? "Turn off" : "Turn on",
    danger: off,
    act: async (reason) => {
      const { changeId } = await post(`flags/${encodeURIComponent(flag.key)}/${verb}`, {
        reason,
        environment,
      });
      toast(
        `${flag.key} is ${off ? "off" : "on"}.`,
        "ok",
        changeId ? { href: `/audit?change=${changeId}`, text: changeId } : undefined,
      );
      done();
    },
  });
}
