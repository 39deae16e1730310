// What all parts of the page are made of: arrays, tables, scales, summaries, the store.

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import test from "node:test";

import { row, unpacked } from "../../src/hudyn/page/assets/arrays.js";
import { extent, linear, logarithmic, line, niceTicks, readable } from "../../src/hudyn/page/assets/plot.js";
import { differing } from "../../src/hudyn/page/assets/population.js";
import { makeStore } from "../../src/hudyn/page/assets/store.js";
import { parsed, sorted } from "../../src/hudyn/page/assets/tables.js";
import { spread } from "../../src/hudyn/page/assets/training.js";
import { weights } from "../../src/hudyn/page/assets/weights.js";

const packed = (values, shape) => ({ array: "float32", shape, data: Buffer.from(Float32Array.from(values).buffer).toString("base64") });
const float32 = (values, shape) => Object.assign(Float32Array.from(values), { shape });

test("data come back as they were packed, arrays with their shapes", async () => {
  const text = gzipSync(JSON.stringify({ name: "あ", parts: [packed([1, 2, 3, 4, 5, 6], [2, 3])] })).toString("base64");
  const { name, parts } = await unpacked(text);
  assert.equal(name, "あ");
  assert.deepEqual(parts[0].shape, [2, 3]);
  assert.deepEqual([...row(parts[0], 1)], [4, 5, 6]);
});

test("a snapshot's weights are a member's at that time, and the trained ones after the last", () => {
  const networks = { members: [0, 1], updates: [0, 10], vectors: float32([1, 2, 3, 4], [2, 2]), snapshots: float32([5, 6, 7, 8, 9, 10, 11, 12], [2, 2, 2]) };
  assert.deepEqual([...weights(networks, 1, 0)], [7, 8]);
  assert.deepEqual([...weights(networks, 0, 1)], [9, 10]);
  assert.deepEqual([...weights(networks, 1, 2)], [3, 4]);
  assert.deepEqual([...weights({ ...networks, members: [7, 2] }, 2, 0)], [7, 8]);
  assert.deepEqual([...weights({ ...networks, members: [7, 2] }, 5, 0)], [5, 6]);
});

test("tables are read with their quotes, and sorted by number with empty cells last", () => {
  assert.deepEqual(parsed('a,b\n1,"x, ""y"""\n2,\n'), [["a", "b"], ["1", 'x, "y"'], ["2", ""]]);
  const rows = [["10"], [""], ["9"], ["-1e-3"]];
  assert.deepEqual(sorted(rows, 0, false).flat(), ["-1e-3", "9", "10", ""]);
  assert.deepEqual(sorted(rows, 0, true).flat(), ["10", "9", "-1e-3", ""]);
});

test("scales go there and back, and their ticks are round", () => {
  const scale = linear([-1, 3], [0, 400]);
  assert.equal(scale(1), 200);
  assert.equal(scale.invert(200), 1);
  assert.deepEqual(niceTicks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(logarithmic([0.01, 20], [0, 1]).ticks(), [0.01, 0.1, 1, 10]);
  assert.deepEqual(extent([NaN, 2, 4], 0), [2, 4]);
});

test("numbers are readable", () => {
  assert.deepEqual([0.012345, -1234567, NaN, 0, 2e-7].map((value) => readable(value)), ["0.0123", "−1,234,567", "none", "0", "2.0e−7"]);
});

test("a line is broken where a value is missing", () => {
  assert.equal(line([0, 1, 2, 3], [0, NaN, 1, 2], (x) => x, (y) => y), "M0.0 0.0M2.0 1.0L3.0 2.0");
});

test("the spread of members is their median and middle 80 %, without those that have no value", () => {
  const { low, middle, high } = spread(float32([0, 5, 10, NaN, NaN, 3], [2, 3]));
  assert.deepEqual(middle, [5, 3]);
  assert.deepEqual(low.map((value) => Math.round(value)), [1, 3]);
  assert.deepEqual(high.map((value) => Math.round(value)), [9, 3]);
});

test("the population is shown by measures that differ, the objective first", () => {
  const measures = { a: { values: [1, 1] }, b: { values: [1, 2] }, c: { values: [3, NaN] }, d: { values: [0, 1] } };
  assert.deepEqual(differing(measures, "d"), ["d", "b"]);
});

test("a store calls those who watch what has changed, once", () => {
  const store = makeStore({ member: 0, snapshot: 1 });
  let calls = 0;
  store.watch(["member", "snapshot"], () => calls++);
  store.set({ member: 2, snapshot: 2 });
  store.set({ member: 2 });
  assert.equal(calls, 2);
  assert.equal(store.get("member"), 2);
});
