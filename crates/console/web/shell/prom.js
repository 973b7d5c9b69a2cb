/** Queries in PromQL, through the API's own alias of Prometheus' HTTP interface. */

import { get } from "./api.js";

/** @import { Labels, Series, Cost } from "./words.js" */

/** @param {string} text */
const number = (text) => (text === "+Inf" ? Infinity : text === "-Inf" ? -Infinity : Number(text));

/**
 * @param {any} answer
 * @param {number} began
 * @returns {Cost}
 */
function costOf(answer, began) {
  return {
    seconds: (performance.now() - began) / 1000,
    evalSeconds: answer.data?.stats?.timings?.evalTotalTime,
    samples: answer.data?.stats?.samples?.totalQueryableSamples,
    warnings: [...(answer.warnings ?? []), ...(answer.infos ?? [])],
  };
}

/**
 * A query over a range, with every series laid beside the same times (seconds).
 * @param {string} expression
 * @param {{ start: number, end: number, step: number }} when seconds
 * @param {AbortSignal} [signal]
 * @returns {Promise<{ times: number[], series: Series[], cost: Cost }>}
 */
export async function rangeQuery(expression, when, signal) {
  const began = performance.now();
  const answer = await get("metrics/query_range", { query: expression, ...when, stats: "all" }, signal);
  const length = Math.floor((when.end - when.start) / when.step) + 1;
  const times = Array.from({ length }, (_, index) => when.start + index * when.step);
  const series = answer.data.result.map(
    (/** @type {{ metric: Labels, values?: [number, string][] }} */ one) => {
      /** @type {(number | null)[]} */
      const values = new Array(length).fill(null);
      for (const [time, text] of one.values ?? []) {
        const place = Math.round((time - when.start) / when.step);
        if (place >= 0 && place < length) values[place] = number(text);
      }
      return { labels: one.metric, values };
    },
  );
  return { times, series, cost: costOf(answer, began) };
}

/**
 * A query at one moment. A scalar comes back as one sample without labels.
 * @param {string} expression
 * @param {number} [time] seconds; now when absent
 * @param {AbortSignal} [signal]
 * @returns {Promise<{ type: string, samples: { labels: Labels, time: number, value: number, text: string }[], cost: Cost }>}
 */
export async function instantQuery(expression, time, signal) {
  const began = performance.now();
  const answer = await get("metrics/query", { query: expression, time, stats: "all" }, signal);
  const { resultType: type, result } = answer.data;
  const rows =
    type === "vector"
      ? result
      : type === "matrix"
        ? result.map((/** @type {any} */ one) => ({
            metric: one.metric,
            value: one.values?.at(-1) ?? one.histograms?.at(-1),
          }))
        : [{ metric: {}, value: result }];
  const samples = rows.map((/** @type {any} */ one) => {
    const [at, raw] = one.value ?? one.histogram ?? [0, "NaN"];
    const text = typeof raw === "string" ? raw : `histogram, count ${raw.count}, sum ${raw.sum}`;
    return { labels: one.metric, time: at, value: number(text), text };
  });
  return { type, samples, cost: costOf(answer, began) };
}

/** Every metric's name. @returns {Promise<string[]>} */
export const metricNames = async () => (await get("metrics/label/__name__/values")).data;

/**
 * Labels that go with a selector.
 * @param {string} [match]
 * @returns {Promise<string[]>}
 */
export const labelNames = async (match) => (await get("metrics/labels", { "match[]": match })).data;

/**
 * @param {string} label
 * @param {string} [match]
 * @returns {Promise<string[]>}
 */
export const labelValues = async (label, match) =>
  (await get(`metrics/label/${encodeURIComponent(label)}/values`, { "match[]": match })).data;

/** How many series each metric has now. @returns {Promise<Map<string, number>>} */
export async function seriesCounts() {
  const { data } = await get("metrics/cardinality", { limit: 10_000 });
  return new Map(
    data.seriesCountByMetricName.map((/** @type {{ name: string, value: number }} */ one) => [
      one.name,
      one.value,
    ]),
  );
}

/** @returns {Promise<Record<string, { type: string, help: string, unit: string }[]>>} */
export const metadata = async () => (await get("metrics/metadata")).data;
