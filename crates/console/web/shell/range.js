/** The page's time range. It lives in the address (`range=1h`, or `from=` and `to=`), so that a link restores it. */

import { navigate, query } from "./router.js";
import { parseDuration } from "./time.js";

/** @typedef {{ relative: string } | { from: number, to: number }} Range `from` and `to` in ms */

/** What is shown when nobody chose; shorter while there is little to show. */
let fallback = "15m";

/** @param {string} relative */
export function setFallback(relative) {
  if (fallback === relative) return;
  fallback = relative;
  window.dispatchEvent(new CustomEvent("ms-route"));
}

export const CHOICES = ["5m", "15m", "1h", "6h", "24h", "7d", "30d"];

/** @returns {Range} */
export function range() {
  const search = query();
  const from = Date.parse(search.get("from") ?? "");
  const to = Date.parse(search.get("to") ?? "");
  if (from < to) return { from, to };
  const relative = search.get("range") ?? sessionStorage.getItem("mainstay.range") ?? fallback;
  return { relative: parseDuration(relative) ? relative : fallback };
}

/** Whether the range moves with the clock. */
export const isLive = () => "relative" in range();

/**
 * The range in seconds, aligned to a step that gives about `points` points.
 * @param {number} [points]
 * @returns {{ start: number, end: number, step: number }}
 */
export function bounds(points = 240) {
  const chosen = range();
  const end = "relative" in chosen ? Date.now() : chosen.to;
  const start = "relative" in chosen ? end - (parseDuration(chosen.relative) ?? 0) : chosen.from;
  const step = niceStep((end - start) / 1000 / points);
  return { start: Math.floor(start / 1000 / step) * step, end: Math.floor(end / 1000 / step) * step, step };
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];

/** @param {number} seconds */
function niceStep(seconds) {
  return STEPS.find((step) => step >= Math.max(5, seconds)) ?? 86400;
}

/**
 * A window for `rate` that holds several collections at this step. A wider one than needed would show the first
 * minute after a start as a slow climb.
 * @param {number} step seconds
 * @param {number} [interval] seconds between collections, when it is known
 */
export const rateWindow = (step, interval = 15) => `${Math.ceil(4 * Math.max(step, interval))}s`;

/**
 * @param {Range} next
 */
export function setRange(next) {
  const search = query();
  for (const name of ["range", "from", "to"]) search.delete(name);
  if ("relative" in next) {
    search.set("range", next.relative);
    sessionStorage.setItem("mainstay.range", next.relative);
  } else {
    search.set("from", new Date(next.from).toISOString());
    search.set("to", new Date(next.to).toISOString());
  }
  navigate(`${location.pathname}?${search}`);
}
