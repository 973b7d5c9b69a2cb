/** The difference of two values, as the lines of their JSON. */

/** Lines kept around a change. */
const CONTEXT = 3;

/**
 * A unified diff of the two values' JSON; empty when they are equal.
 * @param {unknown} before
 * @param {unknown} after
 */
export function difference(before, after) {
  const old = JSON.stringify(before, null, 2).split("\n");
  const now = JSON.stringify(after, null, 2).split("\n");
  const lines = aligned(old, now);
  const changed = lines.map(([sign]) => sign !== " ");
  if (!changed.includes(true)) return "";
  const near = (/** @type {number} */ at) =>
    changed.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).includes(true);
  /** @type {string[]} */
  const out = [];
  let gap = false;
  lines.forEach(([sign, line], at) => {
    if (near(at)) {
      if (gap) out.push("@@");
      gap = false;
      out.push(`${sign}${line}`);
    } else gap = true;
  });
  return out.join("\n");
}

/**
 * The longest common subsequence, as lines with a sign.
 * @param {string[]} old
 * @param {string[]} now
 * @returns {[" " | "+" | "-", string][]}
 */
function aligned(old, now) {
  const width = now.length + 1;
  const lengths = new Uint32Array((old.length + 1) * width);
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = now.length - 1; j >= 0; j -= 1) {
      const same = old[i] === now[j];
      lengths[i * width + j] = same
        ? (lengths[(i + 1) * width + j + 1] ?? 0) + 1
        : Math.max(lengths[(i + 1) * width + j] ?? 0, lengths[i * width + j + 1] ?? 0);
    }
  }
  /** @type {[" " | "+" | "-", string][]} */
  const out = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) {
      out.push([" ", old[i] ?? ""]);
      i += 1;
      j += 1;
    } else if (
      i < old.length &&
      (j === now.length || (lengths[(i + 1) * width + j] ?? 0) >= (lengths[i * width + j + 1] ?? 0))
    ) {
      out.push(["-", old[i] ?? ""]);
      i += 1;
    } else {
      out.push(["+", now[j] ?? ""]);
      j += 1;
    }
  }
  return out;
}
