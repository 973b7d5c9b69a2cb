/** What charts are drawn with: stacking, colours of the scheme, the time axis, markers. */

/** @typedef {{ time: number, label: string }} Marker `time` in seconds */
/** @typedef {import("../vendor/uplot/dist/uPlot.esm.js")} Plot */

/** Steps of a scale in bytes: powers of two. */
export const BINARY_STEPS = Array.from({ length: 56 }, (_, power) => 2 ** power);

/**
 * Each row on top of the ones before it.
 * @param {(number | null)[][]} rows
 * @returns {(number | null)[][]}
 */
export function stack(rows) {
  /** @type {(number | null)[]} */
  let below = [];
  return rows.map((row) => {
    below = row.map((value, index) =>
      value === null && (below[index] ?? null) === null ? null : (value ?? 0) + (below[index] ?? 0),
    );
    return below;
  });
}

/**
 * The colours that a canvas needs as values.
 * @param {HTMLElement} element
 */
export function scheme(element) {
  const style = getComputedStyle(element);
  const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  return {
    ink: colour("--ink"),
    quiet: colour("--ink-3"),
    grid: colour("--grid"),
    accent: colour("--accent"),
    font: `11px ${style.fontFamily}`,
    series: [1, 2, 3, 4, 5, 6, 7, 8].map((number) => colour(`--c${number}`)),
  };
}

/** @param {number} number */
const two = (number) => String(number).padStart(2, "0");

/**
 * Labels of the time axis, in the reader's zone: the date at midnight, else the time.
 * @param {Plot} _plot
 * @param {number[]} times seconds
 * @param {number} _axis
 * @param {number} _space
 * @param {number} step seconds
 */
export function axisTimes(_plot, times, _axis, _space, step) {
  return times.map((time) => {
    const date = new Date(time * 1000);
    const midnight = date.getHours() === 0 && date.getMinutes() === 0 && date.getSeconds() === 0;
    if (step >= 86_400 || midnight) return `${two(date.getMonth() + 1)}-${two(date.getDate())}`;
    const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
    return step < 60 ? `${clock}:${two(date.getSeconds())}` : clock;
  });
}

/**
 * A dashed line and a wedge where something was changed.
 * @param {Plot} plot
 * @param {Marker[]} markers
 * @param {string} colour
 */
export function drawMarkers(plot, markers, colour) {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.fillStyle = colour;
  ctx.lineWidth = ratio;
  ctx.setLineDash([3 * ratio, 3 * ratio]);
  for (const marker of markers) {
    const x = Math.round(plot.valToPos(marker.time, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.globalAlpha = 0.6;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.globalAlpha = 1;
    ctx.beginPath();
    ctx.moveTo(x - 4 * ratio, bbox.top - 6 * ratio);
    ctx.lineTo(x + 4 * ratio, bbox.top - 6 * ratio);
    ctx.lineTo(x, bbox.top);
    ctx.fill();
  }
  ctx.restore();
}
