/** The columns of the list of flags. */

import { html } from "../vendor/lit/index.js";
import { icon } from "../elements/element.js";
import { time } from "../elements/time.js";
import { format, who } from "../shell/format.js";
import { flagPath } from "../shell/router.js";
import { debtChips, flip, stateBadge } from "./switch.js";

/** @import { Flag } from "../shell/words.js" */
/** @import { Column } from "../elements/table.js" */

/**
 * @param {() => void} changed what to do after a flag was turned off or on
 * @returns {Column<Flag>[]}
 */
export const flagColumns = (changed) => [
  {
    key: "key",
    label: "Flag",
    class: "clip",
    ascending: true,
    value: (flag) => flag.key,
    cell: (flag) =>
      html`<a href=${flagPath(flag.key)}>${flag.key}</a> <span class="sub">${flag.owner ?? ""}</span>`,
  },
  { key: "state", label: "State", ascending: true, value: (flag) => flag.state, cell: stateBadge },
  {
    key: "rollout",
    label: "Rollout",
    ascending: true,
    class: "wide nowrap",
    value: (flag) => flag.rollout.summary,
    cell: (flag) => flag.rollout.summary,
  },
  {
    key: "kind",
    label: "Values",
    class: "wide",
    ascending: true,
    value: (flag) => flag.kind,
    cell: (flag) => html`<span class="second">${flag.kind}</span>`,
  },
  {
    key: "evaluations",
    label: "Evaluations, 24 h",
    number: true,
    class: "wide",
    value: (flag) => flag.evaluations24h,
    cell: (flag) => format(flag.evaluations24h),
  },
  {
    key: "changed",
    label: "Changed",
    number: true,
    class: "wide",
    value: (flag) => Date.parse(flag.changed),
    cell: (flag) => html`${time(flag.changed)} <span class="sub">${who(flag.changedBy)}</span>`,
  },
  {
    key: "age",
    label: "Age",
    number: true,
    class: "wide",
    value: (flag) => -Date.parse(flag.created),
    cell: (flag) =>
      html`${Math.max(0, Math.floor((Date.now() - Date.parse(flag.created)) / 86_400_000))}<span class="unit"
          >d</span
        >`,
  },
  {
    key: "debt",
    label: "Debt",
    class: "wide nowrap",
    value: (flag) => flag.debt.length,
    cell: (flag) => debtChips(flag.debt),
  },
  {
    key: "switch",
    label: "",
    class: "nowrap",
    cell: (flag) =>
      html`<button
        type="button"
        class="small plain switch"
        aria-label="${flag.state === "ENABLED" ? "Turn off" : "Turn on"} ${flag.key}"
        @click=${() => flip(flag, changed)}
      >
        ${icon("off")}${flag.state === "ENABLED" ? "Off" : "On"}
      </button>`,
  },
];
