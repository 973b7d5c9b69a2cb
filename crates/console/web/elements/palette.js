/** Ctrl-K: goes to any page, flag, metric, resource, fact or change. */

import { html, nothing } from "../vendor/lit/index.js";
import { get } from "../shell/api.js";
import { metricNames } from "../shell/prom.js";
import { flagPath, navigate } from "../shell/router.js";
import { openDialog } from "./dialog.js";
import { icon } from "./element.js";

/** @typedef {{ label: string, what: string, icon: string, href: string, outside?: boolean }} Entry */

/** @type {Entry[]} */
const PAGES = [
  { label: "Overview", what: "page", icon: "overview", href: "/" },
  { label: "Explore metrics", what: "page", icon: "explore", href: "/explore" },
  { label: "Flags", what: "page", icon: "flags", href: "/flags" },
  { label: "Flag debt", what: "page", icon: "flags", href: "/flags?view=debt" },
  { label: "New flag", what: "action", icon: "plus", href: "/flags?view=new" },
  { label: "Import flagd file", what: "action", icon: "plus", href: "/flags?view=import" },
  { label: "Resources", what: "page", icon: "resources", href: "/resources" },
  { label: "Audit", what: "page", icon: "audit", href: "/audit" },
  { label: "Access: tokens", what: "page", icon: "access", href: "/access/tokens" },
  { label: "Access: users", what: "page", icon: "access", href: "/access/users" },
  { label: "Access: sessions", what: "page", icon: "access", href: "/access/sessions" },
  { label: "Documentation", what: "page", icon: "docs", href: "/docs", outside: true },
];

const MOST = 40;

/** How well a text fits: 0 not at all; more is better. @param {string} text @param {string} wanted */
function fit(text, wanted) {
  const low = text.toLowerCase();
  if (low === wanted) return 4;
  if (low.startsWith(wanted)) return 3;
  if (low.includes(wanted)) return 2;
  let at = -1;
  for (const letter of wanted) {
    at = low.indexOf(letter, at + 1);
    if (at < 0) return 0;
  }
  return 1;
}

/** What the words themselves name. @param {string} text @returns {Entry[]} */
function named(text) {
  if (/^chg-/.test(text))
    return [
      { label: text, what: "change", icon: "audit", href: `/audit?change=${encodeURIComponent(text)}` },
    ];
  const seq = /^#?(\d+)$/.exec(text)?.[1];
  if (seq) return [{ label: `Fact ${seq}`, what: "fact", icon: "audit", href: `/audit/${seq}` }];
  return [];
}

/** Everything that can be gone to; each source may fail alone. @returns {Promise<Entry[]>} */
async function gather() {
  const [flags, metrics, resources] = await Promise.allSettled([
    get("flags", { limit: 500 }),
    metricNames(),
    get("resources", { limit: 500 }),
  ]);
  /** @type {Entry[]} */
  const found = [];
  if (flags.status === "fulfilled") {
    for (const flag of flags.value.items)
      found.push({
        label: flag.key,
        what: `flag · ${flag.rollout.summary}`,
        icon: "flags",
        href: flagPath(flag.key),
      });
  }
  if (resources.status === "fulfilled") {
    for (const { kind, metadata } of resources.value.items) {
      if (kind !== "Flag")
        found.push({
          label: `${kind}/${metadata.name}`,
          what: "resource",
          icon: "resources",
          href: `/resources/${kind}/${encodeURIComponent(metadata.name)}`,
        });
    }
  }
  if (metrics.status === "fulfilled") {
    for (const name of metrics.value)
      found.push({
        label: name,
        what: "metric",
        icon: "explore",
        href: `/explore?q=${encodeURIComponent(name)}`,
      });
  }
  return found;
}

/** @param {Entry} entry @param {() => void} close */
function go(entry, close) {
  close();
  if (entry.outside) location.assign(entry.href);
  else navigate(entry.href);
}

/**
 * What fits the words, best first; without words, the pages and a few flags.
 * @param {string} wanted
 * @param {Entry[]} found
 */
function matching(wanted, found) {
  const text = wanted.trim().toLowerCase();
  if (!text) return [...PAGES, ...found.filter((entry) => entry.icon === "flags").slice(0, 8)];
  const ranked = [...PAGES, ...found]
    .map((entry) => ({ entry, rank: fit(entry.label, text) }))
    .filter(({ rank }) => rank > 0);
  ranked.sort((a, b) => b.rank - a.rank || a.entry.label.length - b.entry.label.length);
  return [...named(wanted.trim()), ...ranked.slice(0, MOST).map(({ entry }) => entry)];
}

/**
 * @param {Entry} entry
 * @param {number} index
 * @param {boolean} chosen
 * @param {() => void} take
 * @param {() => void} point
 */
const option = (entry, index, chosen, take, point) =>
  html`<li
    id="palette-${index}"
    role="option"
    aria-selected=${chosen}
    @click=${take}
    @pointermove=${() => {
      if (!chosen) point();
    }}
  >
    ${icon(entry.icon)}<span class="label">${entry.label}</span><span class="what">${entry.what}</span>
  </li>`;

let isOpen = false;

export function openPalette() {
  if (isOpen) return;
  isOpen = true;
  let wanted = "";
  let chosen = 0;
  /** @type {Entry[]} */
  let found = [];
  let redrawLater = () => {};
  void gather().then((entries) => {
    found = entries;
    redrawLater();
  });
  const dialog = openDialog(
    "Go to",
    (close, redraw) => {
      redrawLater = redraw;
      const entries = matching(wanted, found);
      chosen = Math.max(0, Math.min(chosen, entries.length - 1));
      const onKey = (/** @type {KeyboardEvent} */ event) => {
        const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (move) {
          event.preventDefault();
          chosen = (chosen + move + entries.length) % Math.max(1, entries.length);
          redraw();
          document.getElementById(`palette-${chosen}`)?.scrollIntoView({ block: "nearest" });
        } else if (event.key === "Enter") {
          event.preventDefault();
          const entry = entries[chosen];
          if (entry) go(entry, close);
        }
      };
      return html`<div role="search">
        <input
          autofocus
          type="text"
          role="combobox"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-activedescendant="palette-${chosen}"
          aria-label="Go to"
          autocomplete="off"
          spellcheck="false"
          placeholder="Flag, metric, resource, page, chg-…"
          .value=${wanted}
          @keydown=${onKey}
          @input=${(/** @type {any} */ event) => {
            wanted = event.target.value;
            chosen = 0;
            redraw();
          }}
        />
        <ul id="palette-list" role="listbox" aria-label="Places">
          ${entries.map((entry, index) =>
            option(
              entry,
              index,
              index === chosen,
              () => go(entry, close),
              () => {
                chosen = index;
                redraw();
              },
            ),
          )}
        </ul>
        ${entries.length === 0 ? html`<p class="empty">Nothing is called “${wanted}”.</p>` : nothing}
        <div class="foot">
          <span><kbd>↑</kbd> <kbd>↓</kbd> choose</span><span><kbd>Enter</kbd> open</span
          ><span><kbd>Esc</kbd> close</span>
        </div>
      </div>`;
    },
    "palette",
  );
  void dialog.then(() => {
    isOpen = false;
  });
}
