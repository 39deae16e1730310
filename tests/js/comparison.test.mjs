// The comparison's curves.

import assert from "node:assert/strict";
import { test } from "node:test";

import { curveStyle, curvesDomain } from "../../src/hudyn/page/assets/comparison.js";

test("no two of sixteen runs look the same", () => {
  const styles = Array.from({ length: 16 }, (_, run) => JSON.stringify(curveStyle(run)));
  assert.equal(new Set(styles).size, 16);
});

test("losses of different magnitudes share a logarithmic axis that holds all of them", () => {
  const curves = [{ low: [0.001, null], high: [0.01, null] }, { low: [1, 2], high: [3, 4] }];
  const { y, yLog } = curvesDomain("train/loss", curves);
  assert.ok(yLog);
  assert.ok(y[0] < 0.001 && y[1] > 4);
});

test("shares have a linear axis, and a loss of 0 makes one", () => {
  const curves = [{ low: [0, 0.5], high: [0.6, 0.9] }];
  assert.equal(curvesDomain("test/solved", curves).yLog, false);
  assert.equal(curvesDomain("train/loss", curves).yLog, false);
});
