/** Numbers with units, for people. Bytes in powers of 1024, everything else in powers of 1000. */

/** @typedef {"short" | "bytes" | "bytes/s" | "fraction" | "percent" | "seconds" | "per second"} Unit */

const THOUSANDS = ["", "k", "M", "G", "T", "P"];
const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/**
 * Three significant digits, without an exponent.
 * @param {number} value
 */
function digits(value) {
  const size = Math.abs(value);
  if (size >= 100 || Number.isInteger(value)) return value.toFixed(0);
  return value.toFixed(size >= 10 ? 1 : 2);
}

/**
 * @param {number} value
 * @param {number} base
 * @param {string[]} names
 * @returns {[string, string]}
 */
function scaled(value, base, names) {
  let size = value;
  let step = 0;
  while (Math.abs(size) >= base * 0.9995 && step < names.length - 1) {
    size /= base;
    step += 1;
  }
  return [digits(size), names[step] ?? ""];
}

/**
 * A value as number and unit, apart.
 * @param {number | null | undefined} value
 * @param {Unit} [unit]
 * @returns {[string, string]}
 */
export function parts(value, unit = "short") {
  if (value === null || value === undefined) return ["–", ""];
  if (Number.isNaN(value)) return ["NaN", ""];
  if (!Number.isFinite(value)) return [value > 0 ? "+Inf" : "-Inf", ""];
  switch (unit) {
    case "bytes":
      return scaled(value, 1024, BINARY);
    case "bytes/s": {
      const [number, name] = scaled(value, 1024, BINARY);
      return [number, `${name}/s`];
    }
    case "fraction":
      return [digits(value * 100), "%"];
    case "percent":
      return [digits(value), "%"];
    case "seconds":
      return seconds(value);
    case "per second": {
      const [number, name] = scaled(value, 1000, THOUSANDS);
      return [number, `${name}/s`];
    }
    default:
      if (value !== 0 && Math.abs(value) < 0.01)
        return [value.toPrecision(3).replace(/\.?0+(e|$)/, "$1"), ""];
      return scaled(value, 1000, THOUSANDS);
  }
}

/**
 * @param {number} value
 * @returns {[string, string]}
 */
function seconds(value) {
  const size = Math.abs(value);
  if (size === 0) return ["0", "s"];
  if (size < 1e-6) return [digits(value * 1e9), "ns"];
  if (size < 1e-3) return [digits(value * 1e6), "µs"];
  if (size < 1) return [digits(value * 1e3), "ms"];
  if (size < 120) return [digits(value), "s"];
  if (size < 7200) return [digits(value / 60), "min"];
  if (size < 172800) return [digits(value / 3600), "h"];
  return [digits(value / 86400), "d"];
}

/**
 * @param {number | null | undefined} value
 * @param {Unit} [unit]
 */
export function format(value, unit = "short") {
  const [number, name] = parts(value, unit);
  const joined = name === "" || name === "%" || (unit === "short" && name.length === 1);
  return joined ? number + name : `${number} ${name}`;
}

/**
 * A whole number with its thousands set apart.
 * @param {number} value
 */
export function count(value) {
  return Math.round(value).toLocaleString("en-US").replaceAll(",", "\u202f");
}

/**
 * The unit that a metric's name states, by Prometheus' naming rules.
 * @param {string} query
 * @returns {Unit}
 */
export function unitOf(query) {
  const rated = /\b(rate|irate|deriv)\s*\(/.test(query);
  if (/\b(count|topk_count)\b\s*(by|\()/.test(query)) return "short";
  if (/_bytes(_total)?\b/.test(query)) return rated ? "bytes/s" : /\//.test(query) ? "short" : "bytes";
  if (/_seconds(_total|_sum)?\b/.test(query) && !rated && !/_time_seconds|boot/.test(query)) return "seconds";
  if (/_ratio\b/.test(query)) return "fraction";
  if (rated && /_total\b/.test(query) && !/_seconds/.test(query)) return "per second";
  return "short";
}

/**
 * An actor as people name it.
 * @param {import("./words.js").Actor | string | undefined} actor
 */
export function who(actor) {
  if (!actor) return "";
  if (typeof actor === "string") return actor.replace(/^user:/, "");
  return actor.kind === "user" ? actor.name : `${actor.kind}:${actor.name}`;
}

/**
 * Labels as PromQL writes them.
 * @param {Record<string, string>} labels
 * @param {boolean} [brief] without the metric's name
 */
export function selector(labels, brief = false) {
  const { __name__: name = "", ...rest } = labels;
  const inner = Object.entries(rest).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  if (brief && inner.length > 0) return inner.join(", ");
  return inner.length > 0 ? `${name}{${inner.join(", ")}}` : name || "{}";
}
