// Numbers, durations and places in queries, as people read them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { format, selector, unitOf, who } from "../../web/shell/format.js";
import { absolute, duration, parseDuration, relative } from "../../web/shell/time.js";
import { stack } from "../../web/elements/plot.js";
import { beginning, signals, usedOf } from "../../web/overview/signals.js";
import { indexOfByte, place } from "../../web/explore/promql.js";

test("numbers carry their unit", () => {
  const cases = [
    [0, "bytes", "0 B"],
    [1023, "bytes", "1023 B"],
    [1024, "bytes", "1 KiB"],
    [1.5 * 2 ** 30, "bytes", "1.50 GiB"],
    [2048, "bytes/s", "2 KiB/s"],
    [0.286, "fraction", "28.6%"],
    [1, "fraction", "100%"],
    [12.34, "percent", "12.3%"],
    [0, "seconds", "0 s"],
    [0.0213, "seconds", "21.3 ms"],
    [4e-7, "seconds", "400 ns"],
    [90, "seconds", "90 s"],
    [7200, "seconds", "2 h"],
    [1500, "per second", "1.50 k/s"],
    [1284000, "short", "1.28M"],
    [0.00307, "short", "0.00307"],
    [NaN, "short", "NaN"],
    [Infinity, "short", "+Inf"],
    [null, "short", "–"],
    [-2048, "bytes", "-2 KiB"],
  ];
  for (const [value, unit, expect] of cases)
    assert.equal(format(/** @type {any} */ (value), /** @type {any} */ (unit)), expect);
});

test("a metric's name states its unit", () => {
  const cases = [
    ["node_memory_MemFree_bytes", "bytes"],
    ["rate(node_disk_read_bytes_total[1m])", "bytes/s"],
    ["1 - node_filesystem_avail_bytes / node_filesystem_size_bytes", "short"],
    ["rate(http_requests_total[5m])", "per second"],
    ["rate(node_cpu_seconds_total[1m])", "short"],
    ["node_load1", "short"],
    ["count by (job) (x_bytes)", "short"],
    ["x_duration_seconds_sum", "seconds"],
  ];
  for (const [query, unit] of cases) assert.equal(unitOf(query ?? ""), unit, query);
});

test("durations go both ways", () => {
  for (const [text, ms] of /** @type {[string, number | null][]} */ ([
    ["90s", 90_000],
    ["1h30m", 5_400_000],
    ["2d", 172_800_000],
    ["15", null],
    ["", null],
    ["h", null],
    ["1h x", null],
  ]))
    assert.equal(parseDuration(text), ms, text);
  for (const [ms, text] of /** @type {[number, string][]} */ ([
    [5000, "5s"],
    [60_000, "1m"],
    [90_000, "1m30s"],
    [5_400_000, "1h30m"],
    [172_800_000, "2d"],
  ]))
    assert.equal(duration(ms), text);
  assert.equal(relative(1000, 2000), "just now");
  assert.equal(relative(0, 600_000), "10 min ago");
  assert.equal(relative(7_200_000, 0), "in 2 h");
  assert.match(absolute("2026-11-23T20:00:00Z"), /^2026-11-2\d \d\d:\d\d:\d\d (UTC|[+−]\d\d:\d\d)$/);
});

test("labels are written as PromQL", () => {
  assert.equal(selector({ __name__: "up", job: 'a"b' }), 'up{job="a\\"b"}');
  assert.equal(selector({}), "{}");
  assert.equal(who({ kind: "user", name: "ada" }), "ada");
  assert.equal(who("token:ci"), "token:ci");
});

test("the cursor's place says what completes", () => {
  const cases = [
    ["rate(node_c", { what: "word" }],
    ["node_cpu{", { what: "label", metric: "node_cpu" }],
    ['node_cpu{mode="', { what: "value", label: "mode", metric: "node_cpu" }],
    ['x{a="b",c=~"d|', { what: "value", label: "c", metric: "x" }],
    ['x{a="}",b', { what: "label", metric: "x" }],
    ["sum by (", { what: "label", metric: "" }],
    ["rate(x[", { what: "duration" }],
    ['x{a="b"} + y', { what: "word" }],
    ["", { what: "word" }],
  ];
  for (const [before, expect] of cases)
    assert.deepEqual(place(/** @type {string} */ (before)), expect, String(before));
});

test("bytes of UTF-8 become places in a string", () => {
  assert.equal(indexOfByte('a{b="é"} +', 8), 7);
  assert.equal(indexOfByte("😀x", 4), 2);
  assert.equal(indexOfByte("abc", 2), 2);
});

test("rows are stacked over gaps", () => {
  assert.deepEqual(
    stack([
      [1, null, 2],
      [1, null, null],
      [null, 3, 1],
    ]),
    [
      [1, null, 2],
      [2, null, 2],
      [2, 3, 3],
    ],
  );
});

test("what is broken is said, worst first", () => {
  const host = /** @type {any} */ ({
    filesystems: [
      { device: "a", mountpoint: "/", fstype: "ext4", sizeBytes: 100, availableBytes: 10, readOnly: false },
      { device: "b", mountpoint: "/b", fstype: "ext4", sizeBytes: 100, availableBytes: 1, readOnly: false },
      {
        device: "c",
        mountpoint: "/cd",
        fstype: "iso9660",
        sizeBytes: 100,
        availableBytes: 0,
        readOnly: true,
      },
      { device: "d", mountpoint: "/gone", fstype: "nfs", readOnly: false },
    ],
    pressure: { cpu: { some: 19 }, io: { some: 51, full: 20 }, memory: {} },
    memory: { totalBytes: 100, availableBytes: 50, swapTotalBytes: 0, swapFreeBytes: 0 },
  });
  assert.deepEqual(
    signals(host, null).map(({ tone, title }) => `${tone} ${title}`),
    ["bad /b is 99% full", "bad IO pressure 51%", "warn / is 90% full"],
  );
  assert.deepEqual(signals(/** @type {any} */ ({ filesystems: [] }), null), []);
  const status = /** @type {any} */ ({
    collectors: [
      { name: "thermal", durationSeconds: 0, ok: false, error: "denied" },
      { name: "cpu", durationSeconds: 0, ok: true },
    ],
    resources: { drift: [{ key: "Flag/x", what: "changed" }] },
    ledger: { dead: 1 },
  });
  assert.deepEqual(
    signals(null, status).map(({ title }) => title),
    ["1 delivery failed for good", "Collector thermal fails", "Flag/x differs from git"],
  );
  assert.equal(usedOf(/** @type {any} */ ({ sizeBytes: 0, availableBytes: 0 })), undefined);
});

test("since when is found in what is recorded", () => {
  const times = [10, 20, 30, 40];
  const cases = [
    [[1, 1, 9, 9], { at: 30_000, how: "at" }],
    [[9, 9, 9, 9], { at: 10_000, how: "before" }],
    [[null, null, 9, 9], { at: 30_000, how: "watched" }],
    [[9, 1, 9, 9], { at: 30_000, how: "at" }],
    [[9, 9, 9, 1], { at: 40_000, how: "at" }],
    [[null, null, null, null], { at: 40_000, how: "at" }],
    [[1, 9, 9, null], { at: 20_000, how: "at" }],
  ];
  for (const [values, expect] of cases)
    assert.deepEqual(beginning(times, /** @type {any} */ (values), 5), expect, JSON.stringify(values));
});
