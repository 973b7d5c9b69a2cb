/** The time range of the page: relative or absolute, in the address. */

import { html, nothing } from "../vendor/lit/index.js";
import { CHOICES, range, setRange } from "../shell/range.js";
import { brief, parseDuration, zone } from "../shell/time.js";
import { Element, icon } from "./element.js";

/** @param {number} ms */
const forField = (ms) => {
  const date = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 19);
};

class RangePicker extends Element {
  static properties = { open: { state: true }, wrong: { state: true } };

  constructor() {
    super();
    this.open = false;
    this.wrong = "";
  }

  connectedCallback() {
    super.connectedCallback();
    this.hear("ms-route", () => this.requestUpdate());
    this.hear("click", (event) => {
      if (!event.composedPath().includes(this)) this.open = false;
    });
    this.hear("keydown", (event) => {
      if (event.key === "Escape") this.open = false;
    });
  }

  /** @param {string} relative */
  choose(relative) {
    this.open = false;
    setRange({ relative });
  }

  /** @param {SubmitEvent} event */
  submit(event) {
    event.preventDefault();
    const data = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const from = Date.parse(String(data.get("from")));
    const to = Date.parse(String(data.get("to")));
    if (!(from < to)) {
      this.wrong = "The start must be before the end.";
      return;
    }
    this.wrong = "";
    this.open = false;
    setRange({ from, to });
  }

  /** @param {SubmitEvent} event */
  submitRelative(event) {
    event.preventDefault();
    const text = String(new FormData(/** @type {HTMLFormElement} */ (event.target)).get("relative")).trim();
    if (parseDuration(text)) this.choose(text);
    else this.wrong = `${text} is not a duration; write it like 90s, 45m, 1h30m or 2d.`;
  }

  render() {
    const chosen = range();
    const relative = "relative" in chosen;
    const text = relative ? `Last ${chosen.relative}` : `${brief(chosen.from)} – ${brief(chosen.to)}`;
    const from = relative ? Date.now() - (parseDuration(chosen.relative) ?? 0) : chosen.from;
    const to = relative ? Date.now() : chosen.to;
    const span = to - from;
    return html`<div class="range">
      ${relative ? nothing : html`<button type="button" class="plain small wide" @click=${() => this.choose(sessionStorage.getItem("mainstay.range") ?? "15m")}>Back to now</button>`}
      <button
        type="button"
        class="plain square wide"
        aria-label="Zoom out"
        title="Zoom out"
        @click=${() => setRange({ from: from - span / 2, to: Math.min(Date.now(), to + span / 2) })}
      >
        ${icon("minus")}
      </button>
      <button
        type="button"
        aria-label="Time range: ${text}"
        aria-expanded=${this.open}
        @click=${() => {
          this.open = !this.open;
        }}
      >
        ${icon("clock")}<span>${text}</span>
      </button>
      ${
        this.open
          ? html`<div class="popover stack">
              <div class="row">
                ${CHOICES.map((choice) => html`<button type="button" class="small" aria-pressed=${relative && chosen.relative === choice} @click=${() => this.choose(choice)}>${choice}</button>`)}
              </div>
              <form class="row" @submit=${this.submitRelative}>
                <input
                  class="grow"
                  name="relative"
                  aria-label="Another duration"
                  placeholder="another, such as 45m"
                /><button>Apply</button>
              </form>
              <form class="stack" @submit=${this.submit}>
                <label class="field"
                  >From <input type="datetime-local" step="1" name="from" .value=${forField(from)} required
                /></label>
                <label class="field"
                  >To <input type="datetime-local" step="1" name="to" .value=${forField(to)} required
                /></label>
                <div class="spread">
                  <span class="quiet small">Your zone, ${zone(new Date())}</span><button>Apply</button>
                </div>
              </form>
              ${this.wrong ? html`<p class="bad small" role="alert">${this.wrong}</p>` : nothing}
            </div>`
          : nothing
      }
    </div>`;
  }
}

customElements.define("ms-range", RangePicker);
