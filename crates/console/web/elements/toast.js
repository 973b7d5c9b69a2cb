/** Short words on what just happened; read out by screen readers, gone after a while. */

const SHOWN_MS = 6_000;

/** @returns {HTMLElement} */
function region() {
  let region = document.querySelector(".toasts");
  if (!(region instanceof HTMLElement)) {
    region = document.createElement("div");
    region.className = "toasts";
    region.setAttribute("role", "status");
    region.setAttribute("aria-live", "polite");
    document.body.append(region);
  }
  return /** @type {HTMLElement} */ (region);
}

/**
 * @param {string} text
 * @param {"ok" | "bad"} [tone]
 * @param {{ href: string, text: string }} [link]
 */
export function toast(text, tone = "ok", link) {
  const box = document.createElement("div");
  box.className = `toast ${tone}`;
  const sign = document.createElement("span");
  sign.className = tone;
  sign.setAttribute("aria-hidden", "true");
  sign.textContent = tone === "bad" ? "✕" : "✓";
  const words = document.createElement("div");
  words.textContent = `${text} `;
  if (link) {
    const anchor = document.createElement("a");
    anchor.href = link.href;
    anchor.textContent = link.text;
    words.append(anchor);
  }
  box.append(sign, words);
  region().append(box);
  setTimeout(() => box.remove(), tone === "bad" ? SHOWN_MS * 2 : SHOWN_MS);
}

/** @param {unknown} error */
export function toastError(error) {
  toast(error instanceof Error ? error.message : String(error), "bad");
}
