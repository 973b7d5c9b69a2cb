/** Times: relative and absolute, always with a zone. Durations in Prometheus' syntax. */

const MS = /** @type {const} */ ({
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
});

/**
 * Milliseconds of a duration such as `90s` or `1h30m`; `null` when it is not one.
 * @param {string} text
 * @returns {number | null}
 */
export function parseDuration(text) {
  if (!/^(\d+(ms|s|m|h|d|w|y))+$/.test(text)) return null;
  let total = 0;
  for (const [, number, unit] of text.matchAll(/(\d+)(ms|s|m|h|d|w|y)/g)) {
    total += Number(number) * MS[/** @type {keyof typeof MS} */ (unit)];
  }
  return total;
}

/**
 * @param {number} ms
 */
export function duration(ms) {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600)
    return seconds % 60 === 0 ? `${seconds / 60}m` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440)
    return minutes % 60 === 0 ? `${minutes / 60}h` : `${Math.floor(minutes / 60)}h${minutes % 60}m`;
  const hours = Math.round(minutes / 60);
  return hours % 24 === 0 ? `${hours / 24}d` : `${Math.floor(hours / 24)}d${hours % 24}h`;
}

/**
 * How long ago, or how far ahead, in one unit.
 * @param {number} then ms
 * @param {number} [now] ms
 */
export function relative(then, now = Date.now()) {
  const gap = Math.abs(now - then) / 1000;
  const text =
    gap < 5
      ? ""
      : gap < 90
        ? `${Math.round(gap)} s`
        : gap < 5400
          ? `${Math.round(gap / 60)} min`
          : gap < 129_600
            ? `${Math.round(gap / 3600)} h`
            : gap < 5_184_000
              ? `${Math.round(gap / 86_400)} d`
              : gap < 63_072_000
                ? `${Math.round(gap / 2_592_000)} months`
                : `${Math.round(gap / 31_536_000)} years`;
  if (text === "") return "just now";
  return then > now ? `in ${text}` : `${text} ago`;
}

const LOCAL = new Intl.DateTimeFormat("sv-SE", {
  year: "numeric",
  month: "2-digit",
  day: "2-digit",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});

/** The zone's offset at a time, such as `+02:00`; `UTC` for none. @param {Date} date */
export function zone(date) {
  const offset = -date.getTimezoneOffset();
  if (offset === 0) return "UTC";
  const size = Math.abs(offset);
  const pad = (/** @type {number} */ n) => String(n).padStart(2, "0");
  return `${offset < 0 ? "−" : "+"}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
}

/**
 * Date, time and zone.
 * @param {number | string} at
 */
export function absolute(at) {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? String(at) : `${LOCAL.format(date)} ${zone(date)}`;
}

/**
 * Time alone today, else with the date; with the zone.
 * @param {number | string} at
 */
export function brief(at) {
  const date = new Date(at);
  const text = LOCAL.format(date);
  const today = date.toDateString() === new Date().toDateString();
  return `${today ? text.slice(11) : text.slice(5)} ${zone(date)}`;
}
