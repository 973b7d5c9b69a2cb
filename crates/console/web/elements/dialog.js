/** Dialogs. A destructive action asks for a reason, which lands in the ledger. */

import { html, nothing, render } from "../vendor/lit/index.js";
import { refusal } from "./notices.js";

/**
 * Opens a dialog with this content; it closes with Escape or `close()`.
 * @param {string} label
 * @param {(close: () => void, redraw: () => void) => unknown} content
 * @param {string} [className]
 * @returns {Promise<void>} when it has closed
 */
export function openDialog(label, content, className = "") {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-label", label);
  dialog.className = className;
  const close = () => dialog.close();
  const redraw = () => render(content(close, redraw), dialog);
  document.body.append(dialog);
  redraw();
  dialog.showModal();
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) close();
  });
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve();
    });
  });
}

/**
 * Asks for a reason and does something with it; stays open with the refusal when that fails.
 * @param {object} ask
 * @param {string} ask.title
 * @param {unknown} [ask.body]
 * @param {string} ask.confirm the button's words
 * @param {boolean} [ask.danger]
 * @param {boolean} [ask.optional] whether the reason may stay empty
 * @param {(reason: string) => Promise<void>} ask.act
 */
export function askReason(ask) {
  let reason = "";
  let busy = false;
  /** @type {unknown} */
  let failed = null;
  return openDialog(ask.title, (close, redraw) => {
    const submit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      busy = true;
      redraw();
      try {
        await ask.act(reason.trim());
        close();
      } catch (error) {
        failed = error;
        busy = false;
        redraw();
      }
    };
    return html`<form @submit=${submit}>
      <h2>${ask.title}</h2>
      ${ask.body ? html`<div class="second">${ask.body}</div>` : nothing}
      <label class="field">Reason
        <input name="reason" autocomplete="off" maxlength="500" ?required=${!ask.optional} autofocus placeholder="Why, for whoever reads the ledger" @input=${(/** @type {any} */ event) => { reason = event.target.value; }}>
      </label>
      ${refusal(failed)}
      <div class="actions">
        <button type="button" @click=${close}>Cancel</button>
        <button class="primary ${ask.danger ? "danger" : ""}" ?disabled=${busy}>${busy ? "Working…" : ask.confirm}</button>
      </div>
    </form>`;
  });
}
