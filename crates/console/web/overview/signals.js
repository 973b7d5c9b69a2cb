/** What is broken on this machine, judged from what it reports. Values in, sentences out; nothing is fetched here. */

import { format } from "../shell/format.js";

/** @import { Host, Status } from "../shell/words.js" */

/**
 * @typedef {object} Signal
 * @property {"bad" | "warn"} tone
 * @property {string} title
 * @property {string} detail
 * @property {string} [query] what measures it, for "since when" and for Explore
 * @property {number} [above] the value of `query` beyond which it counts
 * @property {string} [href] where to act, when not Explore
 *
 * @typedef {{ at: number, how: "at" | "before" | "watched" }} Beginning `at` in ms; `before`: earlier than was
 *   looked; `watched`: ever since there are records
 */

/** Fractions of a file system in use. */
const DISK_WARN = 0.85;
const DISK_BAD = 0.95;
/** Percent of time that someone waited, over 10 s. */
const PRESSURE_WARN = 20;
const PRESSURE_BAD = 50;
/** Fraction of memory left. */
const MEMORY_LOW = 0.05;
/** Fraction of swap in use. */
const SWAP_WARN = 0.5;

/**
 * The fraction of a file system in use; `undefined` when it does not say.
 * @param {import("../shell/words.js").Filesystem} disk
 */
export function usedOf({ sizeBytes, availableBytes }) {
  return sizeBytes && availableBytes !== undefined ? 1 - availableBytes / sizeBytes : undefined;
}

/** @param {Host} host @returns {Signal[]} */
function ofDisks(host) {
  return host.filesystems
    .filter((disk) => !disk.readOnly)
    .flatMap((disk) => {
      const used = usedOf(disk);
      if (used === undefined || used < DISK_WARN) return [];
      const match = `{mountpoint=${JSON.stringify(disk.mountpoint)}}`;
      return [
        {
          tone: used >= DISK_BAD ? /** @type {const} */ ("bad") : /** @type {const} */ ("warn"),
          title: `${disk.mountpoint} is ${format(used, "fraction")} full`,
          detail: `${format(disk.availableBytes, "bytes")} of ${format(disk.sizeBytes, "bytes")} left on ${disk.device}`,
          query: `1 - node_filesystem_avail_bytes${match} / node_filesystem_size_bytes${match}`,
          above: DISK_WARN,
        },
      ];
    });
}

/** @param {Host} host @returns {Signal[]} */
function ofPressure(host) {
  return Object.entries(host.pressure ?? {}).flatMap(([resource, { some, full }]) => {
    if (some === undefined || some < PRESSURE_WARN) return [];
    const name = { cpu: "CPU", memory: "Memory", io: "IO" }[resource] ?? resource;
    return [
      {
        tone: some >= PRESSURE_BAD ? /** @type {const} */ ("bad") : /** @type {const} */ ("warn"),
        title: `${name} pressure ${format(some, "percent")}`,
        detail: `some task waited for ${name === "CPU" || name === "IO" ? name : name.toLowerCase()} that part of the last 10 s${full ? `, all of them ${format(full, "percent")}` : ""}`,
        query: `rate(node_pressure_${resource}_waiting_seconds_total[1m])`,
        above: PRESSURE_WARN / 100,
      },
    ];
  });
}

/** @param {Host} host @returns {Signal[]} */
function ofMemory(host) {
  /** @type {Signal[]} */
  const found = [];
  if (!host.memory) return found;
  const { totalBytes, availableBytes, swapTotalBytes = 0, swapFreeBytes = 0 } = host.memory;
  if (availableBytes / totalBytes < MEMORY_LOW) {
    found.push({
      tone: "bad",
      title: `Only ${format(availableBytes, "bytes")} of memory left`,
      detail: `of ${format(totalBytes, "bytes")}; the kernel may soon kill a process`,
      query: "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes",
      above: 1 - MEMORY_LOW,
    });
  }
  const swapped = swapTotalBytes > 0 ? 1 - swapFreeBytes / swapTotalBytes : 0;
  if (swapped > SWAP_WARN) {
    found.push({
      tone: "warn",
      title: `Swap is ${format(swapped, "fraction")} used`,
      detail: `${format(swapFreeBytes, "bytes")} of ${format(swapTotalBytes, "bytes")} left`,
      query: "1 - node_memory_SwapFree_bytes / node_memory_SwapTotal_bytes",
      above: SWAP_WARN,
    });
  }
  return found;
}

/** @param {Status} status @returns {Signal[]} */
function ofMainstay(status) {
  /** @type {Signal[]} */
  const found = status.collectors
    .filter((collector) => !collector.ok)
    .map((collector) => ({
      tone: /** @type {const} */ ("warn"),
      title: `Collector ${collector.name} fails`,
      detail: collector.error ?? "it gave no reason",
      query: `node_scrape_collector_success{collector=${JSON.stringify(collector.name)}}`,
    }));
  const { drift = [], error, dir } = status.resources ?? {};
  if (error)
    found.push({
      tone: "bad",
      title: "The resources folder cannot be applied",
      detail: `${dir ?? ""}: ${error}`,
      href: "/resources",
    });
  if (drift.length > 0) {
    const first = drift[0];
    found.push({
      tone: "warn",
      title:
        drift.length === 1 ? `${first?.key} differs from git` : `${drift.length} resources differ from git`,
      detail: `${first?.what ?? ""}${drift.length > 1 ? `, and ${drift.length - 1} more` : ""}`,
      href: "/resources?drift=1",
    });
  }
  if (status.ledger.dead > 0)
    found.push({
      tone: "bad",
      title: `${status.ledger.dead} ${status.ledger.dead === 1 ? "delivery" : "deliveries"} failed for good`,
      detail: "their effects did not reach the outside",
      href: "/docs/webhooks",
    });
  return found;
}

/**
 * Everything that is wrong, worst first.
 * @param {Host | null} host
 * @param {Status | null} status
 * @returns {Signal[]}
 */
export function signals(host, status) {
  const found = [
    ...(host ? [...ofDisks(host), ...ofPressure(host), ...ofMemory(host)] : []),
    ...(status ? ofMainstay(status) : []),
  ];
  return found.sort((a, b) => Number(b.tone === "bad") - Number(a.tone === "bad"));
}

/**
 * When the values last began to stay at or above a bound.
 * @param {number[]} times seconds
 * @param {(number | null)[]} values
 * @param {number} above
 * @returns {Beginning}
 */
export function beginning(times, values, above) {
  const last = (times.at(-1) ?? 0) * 1000;
  const known = values.findIndex((value) => value !== null);
  const below = values.findLastIndex((value) => value !== null && value < above);
  // Without a value, or below to the very end, it has only just begun.
  if (known < 0 || below === values.findLastIndex((value) => value !== null)) return { at: last, how: "at" };
  if (below >= 0) return { at: (times[below + 1] ?? 0) * 1000, how: "at" };
  return { at: (times[known] ?? 0) * 1000, how: known <= 1 ? "before" : "watched" };
}
