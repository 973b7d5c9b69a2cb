// Targeting as a form and back: what a form shows must come back unchanged, and the rest must stay JSON.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readRules, writeRules } from "../../web/flags/rules.js";
import { difference } from "../../web/flags/lines.js";

const country = { var: "country" };
const split = {
  fractional: [
    ["on", 25],
    ["off", 75],
  ],
};

test("what the form shows comes back unchanged", () => {
  const cases = [
    split,
    { fractional: [{ var: "company" }, ["on", 1], ["off", 3]] },
    { if: [{ "==": [country, "SE"] }, "on"] },
    { if: [{ "==": [country, "SE"] }, "on", "off"] },
    { if: [{ in: [country, ["SE", "NO"]] }, "on", { "==": [{ var: "age" }, 18] }, split, "off"] },
    {
      if: [
        { starts_with: [{ var: "email" }, "ada@"] },
        "on",
        { ends_with: [{ var: "email" }, "@example.com"] },
        "off",
      ],
    },
    { if: [{ sem_ver: [{ var: "app" }, ">=", "2.1.0"] }, "on", split] },
    { if: [{ "!=": [{ var: "beta" }, true] }, "on"] },
    { if: [{ "==": [{ var: "id" }, "17"] }, "on"] },
    { if: [{ "==": [{ var: "text" }, "a, b"] }, "on"] },
    { if: [{ ">": [{ var: "age" }, 17.5] }, "on"] },
  ];
  for (const targeting of cases) {
    const rules = readRules(targeting);
    assert.ok(rules, JSON.stringify(targeting));
    assert.deepEqual(writeRules(rules), targeting);
  }
});

test("nothing is no rules", () => {
  for (const nothing of [null, undefined, {}])
    assert.equal(writeRules(/** @type {any} */ (readRules(nothing))), null);
});

test("what the form cannot show stays JSON", () => {
  const cases = [
    { if: [{ and: [{ "==": [country, "SE"] }, { "==": [country, "NO"] }] }, "on"] },
    { if: [{ "==": ["SE", country] }, "on"] },
    { if: [{ in: ["@example.com", { var: "email" }] }, "on"] },
    { if: [{ in: [country, ["a, b"]] }, { $ref: "shared" }] },
    { if: [{ "==": [country, "SE"] }, { if: [true, "on"] }] },
    { $ref: "shared" },
    { fractional: [["on"], ["off", { var: "weight" }]] },
    { fractional: [] },
    { cat: ["o", "n"] },
    [1],
  ];
  for (const targeting of cases) assert.equal(readRules(targeting), null, JSON.stringify(targeting));
});

test("a difference shows what changed and little else", () => {
  assert.equal(difference({ a: 1 }, { a: 1 }), "");
  assert.equal(difference({ a: 1, b: 2 }, { a: 1, b: 3 }), ' {\n   "a": 1,\n-  "b": 2\n+  "b": 3\n }');
  const long = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`k${at}`, at]));
  const lines = difference(long, { ...long, k10: "x" }).split("\n");
  assert.equal(lines.filter((line) => line.startsWith("-") || line.startsWith("+")).length, 2);
  assert.ok(lines.length <= 10, lines.join("\n"));
});
