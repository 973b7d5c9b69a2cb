/** Starts the console: routing, keys, the bar. The markup of the shell is in index.html and paints before this runs. */

import "../elements/account.js";
import "../elements/live.js";
import "../elements/range.js";
import { showKeys } from "../elements/keys.js";
import { openPalette } from "../elements/palette.js";
import { match, navigate } from "./router.js";

const view = /** @type {HTMLElement} */ (document.getElementById("view"));
const title = /** @type {HTMLElement} */ (document.getElementById("title"));
const menu = /** @type {HTMLElement} */ (document.getElementById("menu"));
const side = /** @type {HTMLElement} */ (document.getElementById("side"));

/** @type {string} */
let shown = "";

async function show() {
  const { route, params } = match(location.pathname);
  const identity = `${route.tag} ${JSON.stringify(params)}`;
  document.body.classList.toggle("unranged", !route.ranged);
  for (const link of side.querySelectorAll("a")) {
    const path = link.pathname;
    const here =
      link.dataset.keys === undefined &&
      (path === "/" ? location.pathname === "/" : location.pathname.startsWith(path));
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (identity === shown) return;
  const old = view.firstElementChild;
  const stays = route.stays && shown.startsWith(`${route.tag} `) && old?.localName === route.tag;
  shown = identity;
  if (stays) {
    Object.assign(old, { params });
    return;
  }
  entitle(route.title);
  closeDrawer();
  try {
    await route.load();
  } catch {
    view.textContent = "This page's files could not be loaded. Reload to try again.";
    return;
  }
  if (identity !== shown) return;
  const page = document.createElement(route.tag);
  Object.assign(page, { params });
  view.replaceChildren(page);
  view.removeAttribute("aria-busy");
  view.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

/** @param {string} text */
function entitle(text) {
  title.textContent = text;
  document.title = `${text} · Mainstay`;
}

function closeDrawer() {
  document.body.classList.remove("drawer");
  menu.setAttribute("aria-expanded", "false");
}

/** @param {EventTarget | null} target */
const isField = (target) =>
  target instanceof HTMLElement &&
  (target.matches("input, textarea, select, [contenteditable]") || target.closest("ms-editor") !== null);

/** What `g` and then a letter go to. */
const PLACES = new Map([
  ["o", "/"],
  ["e", "/explore"],
  ["f", "/flags"],
  ["r", "/resources"],
  ["a", "/audit"],
  ["c", "/access"],
]);
let afterG = 0;

/** @param {KeyboardEvent} event */
function onKey(event) {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openPalette();
    return;
  }
  if (
    event.ctrlKey ||
    event.metaKey ||
    event.altKey ||
    isField(event.target) ||
    document.querySelector("dialog[open]")
  )
    return;
  if (event.key === "/") {
    const search = view.querySelector("[data-search]");
    event.preventDefault();
    if (search instanceof HTMLElement) search.focus();
    else openPalette();
  } else if (event.key === "?") {
    showKeys();
  } else if (event.key === "Escape") {
    closeDrawer();
  } else if (event.key === "g") {
    afterG = Date.now();
  } else if (Date.now() - afterG < 1500 && PLACES.has(event.key)) {
    afterG = 0;
    navigate(PLACES.get(event.key) ?? "/");
  }
}

/** Links of the console change the page without a reload. @param {MouseEvent} event */
function onClick(event) {
  const link = event.composedPath().find((node) => node instanceof HTMLAnchorElement);
  if (!(link instanceof HTMLAnchorElement) || event.defaultPrevented || event.button !== 0) return;
  if (link.dataset.keys !== undefined) {
    event.preventDefault();
    showKeys();
    return;
  }
  const away =
    event.ctrlKey || event.metaKey || event.shiftKey || link.target || link.dataset.outside !== undefined;
  if (away || link.origin !== location.origin || link.getAttribute("href")?.startsWith("#")) return;
  if (/^\/(docs|assets|api|openapi)/.test(link.pathname)) return;
  event.preventDefault();
  navigate(link.pathname + link.search);
}

document.addEventListener("keydown", onKey);
document.addEventListener("click", onClick);
document.getElementById("seek")?.addEventListener("click", () => openPalette());
menu.addEventListener("click", () => {
  const open = document.body.classList.toggle("drawer");
  menu.setAttribute("aria-expanded", String(open));
});
view.addEventListener("click", closeDrawer);
view.addEventListener("ms-title", (event) => entitle(/** @type {CustomEvent<string>} */ (event).detail));
window.addEventListener("popstate", () => window.dispatchEvent(new CustomEvent("ms-route")));
window.addEventListener("ms-route", () => void show());
void show();
