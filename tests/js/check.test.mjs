// The check view's lines, scores and raster.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  angleBetween, dividingLine, gridLayers, lineEquation, lineSegment, lineThrough, lineTurned, outputRaster,
  planeAround, setDividingLine, truthTable,
} from "../../src/hudyn/page/assets/dividing_lines.js";
import { grid } from "../../src/hudyn/page/assets/networks.js";

const HAND_SET = Float64Array.of(1, 1, 1, 1, 1, 1, 1, 1, -0.5, -1.5, -2.5, -3.5, 1, -1, 1, -1, -0.5);
const POINTS = [0, 1, 2].flatMap((y) => [0, 1, 2].map((x) => ({ x, y, label: (x + y) % 2 })));

function specification(activation, units = 4) {
  return {
    class: "GridMLP",
    settings: { activation },
    layout: [
      { name: "hidden.weight", shape: [units, 2] }, { name: "hidden.bias", shape: [units] },
      { name: "output.weight", shape: [1, units] }, { name: "output.bias", shape: [1] },
    ],
  };
}

function near(one, other, tolerance = 1e-12) {
  assert.ok(Math.abs(one - other) <= tolerance, `${one} is not ${other}`);
}

test("a line that is dragged to a place keeps its weights and goes through the place", () => {
  const moved = lineThrough({ a: 2, b: -1, c: 7 }, [0.5, 3]);
  assert.deepEqual([moved.a, moved.b], [2, -1]);
  assert.equal(moved.c, 2);
});

test("moving a line changes the unit's bias in the network, and nothing else", () => {
  const vector = HAND_SET.slice();
  const layers = gridLayers(specification("step"), vector);
  setDividingLine(layers, 1, lineThrough(dividingLine(layers, 1), [1, 1.25]));
  const changed = [...vector].flatMap((value, place) => (value === HAND_SET[place] ? [] : [[place, value]]));
  assert.deepEqual(changed, [[9, -2.25]]);
});

test("a line that is turned goes through the pivot and the handle, with its 1 side on the same hand", () => {
  const line = { a: 1, b: 0, c: -1 }; // x = 1, on to the right
  const pivot = [1, 0];
  const turned = lineTurned(line, pivot, angleBetween(pivot, [1, 2], [3, 2]));
  near(turned.a * 1 + turned.c, 0);
  near(turned.a * 3 + turned.b * 2 + turned.c, 0);
  near(Math.hypot(turned.a, turned.b), 1);
  assert.ok(turned.a * 3 + turned.b * 0 + turned.c > 0); // below the line that rises to the right
});

test("half a turn swaps the sides", () => {
  const turned = lineTurned({ a: 1, b: 1, c: -1.5 }, [1, 0.5], Math.PI);
  near(turned.a, -1);
  near(turned.c, 1.5);
});

test("only the part of a line inside the plane is drawn", () => {
  assert.deepEqual(lineSegment({ a: 2, b: 0, c: -1 }, [0, 2], [0, 3]), [[0.5, 0], [0.5, 3]]);
  assert.equal(lineSegment({ a: 1, b: 1, c: 1 }, [0, 2], [0, 2]), null);
  assert.equal(lineSegment({ a: 0, b: 0, c: 1 }, [0, 2], [0, 2]), null);
});

test("equations read as in the table of dividing lines", () => {
  assert.equal(lineEquation({ a: 1, b: 1, c: -0.5 }), "y = −x + 0.5");
  assert.equal(lineEquation({ a: 2, b: 0, c: -1 }), "x = 0.5");
  assert.equal(lineEquation({ a: 0, b: 3, c: 0 }), "y = 0");
  assert.equal(lineEquation({ a: 0, b: 0, c: -1 }), "no line: always off");
});

test("the hand-set step network has the assignment's truth table", () => {
  const { rows, wrong, loss } = truthTable(specification("step"), HAND_SET, POINTS);
  const shown = rows.map((row) => [...row.hidden].join(""));
  assert.deepEqual(shown, ["0000", "1000", "1100", "1000", "1100", "1110", "1100", "1110", "1111"]);
  assert.deepEqual(rows.map((row) => row.output), POINTS.map((point) => point.label));
  assert.equal(wrong, 0);
  assert.equal(loss, null);
});

test("the loss of sigmoid outputs is the mean binary cross-entropy, also far from 0", () => {
  const spec = specification("sigmoid", 1);
  const certain = Float64Array.of(0, 0, 100, 2000, -1000); // log-odds 1000 everywhere
  const { loss, wrong } = truthTable(spec, certain, [{ x: 0, y: 0, label: 1 }, { x: 1, y: 1, label: 0 }]);
  near(loss, 500);
  assert.equal(wrong, 1);
  near(truthTable(spec, new Float64Array(5), POINTS).loss, Math.log(2));
});

test("the raster behind the points is what the network outputs there, its first row at the top", () => {
  for (const activation of ["sigmoid", "step", "tanh", "relu"]) {
    const spec = specification(activation);
    const values = outputRaster(gridLayers(spec, HAND_SET), [0, 2], [0, 4], 4);
    near(values[1], grid(spec, HAND_SET).output(0.75, 3.5), 1e-6);
  }
});

test("the plane is a square around the points, also around a single one", () => {
  assert.deepEqual(planeAround(POINTS), [[-0.5, 2.5], [-0.5, 2.5]]);
  assert.deepEqual(planeAround([{ x: 3, y: 1 }]), [[2.5, 3.5], [0.5, 1.5]]);
  assert.deepEqual(planeAround([{ x: 0, y: 0 }, { x: 4, y: 2 }]), [[-1, 5], [-2, 4]]);
});
