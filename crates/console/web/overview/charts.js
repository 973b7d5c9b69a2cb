/** The charts of this machine: which queries, which unit, which names. */

import { rangeQuery } from "../shell/prom.js";
import { bounds, rateWindow } from "../shell/range.js";

/** @import { Unit } from "../shell/format.js" */
/** @import { Labels, Host } from "../shell/words.js" */
/** @import { Line } from "../elements/chart.js" */

/**
 * @typedef {object} Chart
 * @property {string} title
 * @property {Unit} unit
 * @property {boolean} [stacked]
 * @property {number} [top] the least top of the scale
 * @property {{ expression: (window: string) => string, label: string | ((labels: Labels) => string), colour?: number, scale?: (host: Host) => number }[]} queries
 *
 * @typedef {{ times: number[], lines: Line[], error?: unknown }} Drawn
 */

/** The order in which CPU modes lie on each other, and their colours. */
const MODES = ["user", "system", "nice", "iowait", "irq", "softirq", "steal"];

/** @type {Chart[]} */
export const CHARTS = [
  {
    title: "CPU by mode",
    unit: "fraction",
    stacked: true,
    top: 1,
    queries: [
      {
        expression: (window) => `sum by (mode) (rate(node_cpu_seconds_total{mode!="idle"}[${window}]))`,
        label: (labels) => labels.mode ?? "",
        scale: (host) => 1 / Math.max(1, host.cpus),
      },
    ],
  },
  {
    title: "Load",
    unit: "short",
    queries: [
      { expression: () => "node_load1", label: "1 min", colour: 1 },
      { expression: () => "node_load5", label: "5 min", colour: 6 },
      { expression: () => "node_load15", label: "15 min", colour: 8 },
    ],
  },
  {
    title: "Pressure",
    unit: "fraction",
    top: 0.05,
    queries: [
      {
        expression: (window) => `rate(node_pressure_cpu_waiting_seconds_total[${window}])`,
        label: "CPU",
        colour: 1,
      },
      {
        expression: (window) => `rate(node_pressure_memory_waiting_seconds_total[${window}])`,
        label: "memory",
        colour: 4,
      },
      {
        expression: (window) => `rate(node_pressure_io_waiting_seconds_total[${window}])`,
        label: "IO",
        colour: 2,
      },
    ],
  },
  {
    title: "Memory",
    unit: "bytes",
    stacked: true,
    queries: [
      {
        expression: () => "node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes",
        label: "in use",
        colour: 1,
      },
      {
        expression: () => "node_memory_MemAvailable_bytes - node_memory_MemFree_bytes",
        label: "reclaimable",
        colour: 6,
      },
      { expression: () => "node_memory_MemFree_bytes", label: "free", colour: 8 },
    ],
  },
  {
    title: "Disk throughput",
    unit: "bytes/s",
    queries: [
      {
        expression: (window) => `sum by (device) (rate(node_disk_read_bytes_total[${window}]))`,
        label: (labels) => `${labels.device} read`,
      },
      {
        expression: (window) => `sum by (device) (rate(node_disk_written_bytes_total[${window}]))`,
        label: (labels) => `${labels.device} written`,
      },
    ],
  },
  {
    title: "Disk latency",
    unit: "seconds",
    queries: [
      {
        expression: (window) =>
          `rate(node_disk_read_time_seconds_total[${window}]) / rate(node_disk_reads_completed_total[${window}])`,
        label: (labels) => `${labels.device} read`,
      },
      {
        expression: (window) =>
          `rate(node_disk_write_time_seconds_total[${window}]) / rate(node_disk_writes_completed_total[${window}])`,
        label: (labels) => `${labels.device} written`,
      },
    ],
  },
  {
    title: "Disk busy",
    unit: "fraction",
    top: 1,
    queries: [
      {
        expression: (window) => `rate(node_disk_io_time_seconds_total[${window}])`,
        label: (labels) => labels.device ?? "",
      },
    ],
  },
  {
    title: "Network",
    unit: "bytes/s",
    queries: [
      {
        expression: (window) => `rate(node_network_receive_bytes_total{device!="lo"}[${window}])`,
        label: (labels) => `${labels.device} in`,
      },
      {
        expression: (window) => `rate(node_network_transmit_bytes_total{device!="lo"}[${window}])`,
        label: (labels) => `${labels.device} out`,
      },
    ],
  },
  {
    title: "Mainstay's own CPU",
    unit: "fraction",
    queries: [
      {
        expression: (window) => `rate(process_cpu_seconds_total{job="mainstay"}[${window}])`,
        label: "of a core",
        colour: 1,
      },
    ],
  },
];

/** A query of a chart, for Explore. @param {Chart} chart */
export const exploreQuery = (chart) => chart.queries[0]?.expression("1m") ?? "";

/**
 * Runs a chart's queries over the page's time range.
 * @param {Chart} chart
 * @param {Host} host
 * @param {number} interval seconds between collections
 * @param {AbortSignal} signal
 * @returns {Promise<Drawn>}
 */
export async function draw(chart, host, interval, signal) {
  const when = bounds();
  const window = rateWindow(when.step, interval);
  const answers = await Promise.all(
    chart.queries.map((query) => rangeQuery(query.expression(window), when, signal)),
  );
  /** @type {Line[]} */
  const lines = answers.flatMap((answer, index) => {
    const query = chart.queries[index];
    const scale = query?.scale?.(host) ?? 1;
    return answer.series.map((series) => ({
      label: typeof query?.label === "string" ? query.label : (query?.label(series.labels) ?? ""),
      colour: query?.colour,
      values:
        scale === 1 ? series.values : series.values.map((value) => (value === null ? null : value * scale)),
    }));
  });
  // A device that did nothing is left out beside those that did something.
  const active = lines.filter((line) => line.values.some((value) => value));
  const kept =
    active.length > 0 && chart.queries.every((query) => typeof query.label === "function") ? active : lines;
  for (const line of kept)
    line.values = line.values.map((value) => (value === null || Number.isFinite(value) ? value : null));
  if (chart.stacked && kept.every((line) => MODES.includes(line.label)))
    kept.sort((a, b) => MODES.indexOf(a.label) - MODES.indexOf(b.label));
  return { times: answers[0]?.times ?? [], lines: kept };
}
