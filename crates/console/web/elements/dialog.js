/** Dialogs. A destructive action asks for a reason, which lands in the ledger. Each stays open while it is refused. */

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
 * Asks for what the fields say and does something with it.
 * @param {string} title
 * @param {string} confirm the button's words
 * @param {unknown} fields named inputs
 * @param {(given: Record<string, string>) => Promise<void>} act
 * @param {boolean} [danger]
 */
export function askForm(title, confirm, fields, act, danger = false) {
  let busy = false;
  /** @type {unknown} */
  let failed = null;
  return openDialog(title, (close, redraw) => {
    const submit = async (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      const data = new FormData(/** @type {HTMLFormElement} */ (event.target));
      busy = true;
      redraw();
      try {
        await act(Object.fromEntries([...data].map(([name, value]) => [name, String(value).trim()])));
        close();
      } catch (error) {
        failed = error;
        busy = false;
        redraw();
      }
    };
    return html`<form @submit=${submit}>
      <h2>${title}</h2>
      ${fields}${refusal(failed)}
      <div class="actions">
        <button type="button" @click=${close}>Cancel</button>
        <button class="primary ${danger ? "danger" : ""}" ?disabled=${busy}>
          ${busy ? "Working…" : confirm}
        </button>
      </div>
    </form>`;
  });
}

/**
 * Asks for a reason and does something with it.
 * @param {object} ask
 * @param {string} ask.title
 * @param {unknown} [ask.body]
 * @param {string} ask.confirm the button's words
 * @param {boolean} [ask.danger]
 * @param {(reason: string) => Promise<void>} ask.act
 */
export function askReason(ask) {
  const fields = html`${ask.body ? html`<div class="second">${ask.body}</div>` : nothing}
    <label class="field"
      >Reason
      <input
        name="reason"
        autocomplete="off"
        maxlength="500"
        required
        autofocus
        placeholder="Why, for whoever reads the ledger"
      />
    </label>`;
  return askForm(ask.title, ask.confirm, fields, ({ reason = "" }) => ask.act(reason), ask.danger);
}
