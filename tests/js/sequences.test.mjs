// What the page computes of sequence predictors.

import assert from "node:assert/strict";
import { test } from "node:test";

import { labelPlaces, stateLayout, transitionPath, transitionsOf } from "../../src/hudyn/page/assets/automaton.js";
import { eigenvalues, jacobianOf, principalComponents, solved } from "../../src/hudyn/page/assets/linear_algebra.js";
import { centreOf, fixedPoints, gridPoints, mapOf, predictedRegions } from "../../src/hudyn/page/assets/maps.js";
import { recurrent } from "../../src/hudyn/page/assets/networks.js";
import { allowedIn, either, encoded, likeliest, litStates, walked, withPowers, wordOf } from "../../src/hudyn/page/assets/reading.js";
import { coordinatesOf, turned, unitsOf } from "../../src/hudyn/page/assets/space.js";
import { mostVaried } from "../../src/hudyn/page/assets/units.js";

const BOX = [[-1, 1], [-1, 1]];

function close(actual, expected, error = 1e-6) {
  assert.equal(actual.length, expected.length);
  Array.from(actual).forEach((value, place) => assert.ok(Math.abs(value - expected[place]) < error, `${actual} is not ${expected}`));
}

function table(rows) {
  const values = Int32Array.from(rows.flat());
  values.shape = [rows.length, rows[0].length];
  return values;
}

/** An SRN of two units whose only symbol has the fixed point (0, 0) with this Jacobian. */
function srn(jacobian) {
  const layout = [["input_weight", [2, 1]], ["hidden_weight", [2, 2]], ["bias", [2]], ["initial_hidden", [2]], ["output.weight", [2, 2]], ["output.bias", [2]]];
  const specification = { class: "SRN", settings: { activation: "tanh" }, layout: layout.map(([name, shape]) => ({ name, shape })) };
  return recurrent(specification, Float64Array.from([0, 0, ...jacobian.flat(), 0, 0, 0.3, -0.2, 1, 0, 0, 1, 0, 0]));
}

test("equations are solved, and a singular matrix has no solution", () => {
  close(solved([[0, 2], [3, 1]], [4, 5]), [1, 2]);
  assert.equal(solved([[1, 2], [2, 4]], [1, 1]), null);
});

test("eigenvalues of real, complex and repeated kinds, the largest first", () => {
  const real = eigenvalues([[2, 1, 0], [0, -3, 1], [0, 0, 0.5]]);
  close(real.map(({ re }) => re), [-3, 2, 0.5]);
  const [one, other] = eigenvalues([[0, -2], [2, 0]]);
  close([Math.abs(one.im), one.im + other.im, one.re], [2, 0, 0]);
  close(eigenvalues([[1, 0], [0, 1]]).map(({ re }) => re), [1, 1], 1e-4);
});

test("the Jacobian of a map", () => {
  const jacobian = jacobianOf(([x, y]) => [x * y, Math.sin(x)], [0.5, 2]);
  close(jacobian.flat(), [2, 0.5, Math.cos(0.5), 0]);
});

test("fixed points of an SRN are found and told apart", () => {
  const kinds = (jacobian) => fixedPoints(mapOf(srn(jacobian), 0), gridPoints(BOX, 6), BOX);
  const [stable, ...none] = kinds([[0.5, 0.1], [0, -0.4]]);
  assert.equal(none.length, 0);
  assert.equal(stable.kind, "stable");
  close(stable.points[0], [0, 0]);
  close(stable.values.map(({ re }) => re), [0.5, -0.4]);
  const saddle = kinds([[2, 0], [0, 0.5]]);
  assert.deepEqual(saddle.map(({ kind }) => kind).sort(), ["saddle", "stable", "stable"]);
  assert.ok(kinds([[2, 0], [0, 3]]).some(({ kind, points }) => kind === "unstable" && Math.hypot(...points[0]) < 1e-6));
});

test("a 2-cycle is found beside the flip saddle that it surrounds", () => {
  const found = fixedPoints(mapOf(srn([[-2, 0], [0, 0.5]]), 0), gridPoints(BOX, 6), BOX);
  const cycle = found.find(({ points }) => points.length === 2);
  assert.equal(cycle.kind, "stable");
  close([cycle.points[0][0] + cycle.points[1][0]], [0]);
  assert.equal(found.filter(({ points }) => points.length === 1)[0].kind, "saddle");
});

test("a continuum has no isolated fixed points", () => {
  assert.deepEqual(fixedPoints((point) => point.slice(), gridPoints(BOX, 4), BOX), []);
});

test("regions of the plane are where a symbol is likeliest", () => {
  const regions = predictedRegions(([x, y]) => [x - 0.5, 0, y - 3], BOX);
  assert.deepEqual(regions.map(({ symbol }) => symbol), [0, 1]);
  close(centreOf(regions[0].polygon), [0.75, 0]);
  close(centreOf(regions[1].polygon), [-0.25, 0]);
});

test("principal components of points on a line in space", () => {
  const points = [-2, -1, 0, 1, 2].map((t) => [1 + 3 * t, 2, 4 * t, 0]);
  const { mean, axes, shares } = principalComponents(points, 3);
  close(mean, [1, 2, 0, 0]);
  close(axes[0], [0.6, 0, 0.8, 0]);
  close(shares, [1, 0, 0]);
  const { labels, place } = coordinatesOf(points, []);
  assert.equal(labels[0], "component 1 (100 %)");
  close(place(points[0]), [-10, 0, 0]);
});

test("three units are drawn as they are, one point gives no NaN", () => {
  assert.deepEqual(coordinatesOf([[1, 2, 3]], ["a", "b", "c"]).place([1, 2, 3]), [1, 2, 3]);
  close(coordinatesOf([[1, 2, 3, 4]], []).place([1, 2, 3, 4]), [0, 0, 0]);
});

test("a turn keeps lengths, and none shows the first axis to the right and the third up", () => {
  close(turned([1, 0, 0], { yaw: 0, pitch: 0 }), [1, 0, 0]);
  close(turned([0, 0, 1], { yaw: 0, pitch: 0 }), [0, 1, 0]);
  close([Math.hypot(...turned([1, 2, 3], { yaw: 0.7, pitch: -0.3 }))], [Math.hypot(1, 2, 3)]);
});

test("the parts of a state", () => {
  const state = { hidden: Float64Array.of(1, 2), context: Float64Array.of(3, 4) };
  assert.deepEqual(unitsOf(state, "both"), [1, 2, 3, 4]);
  assert.deepEqual(unitsOf(state, "context"), [3, 4]);
});

test("typed text: other characters are named, capitals and spaces forgiven", () => {
  assert.deepEqual(encoded("aB x?b", ["a", "b"]), { text: "abb", symbols: [0, 1, 1], others: ["x", "?"] });
  assert.deepEqual(encoded("btE", ["B", "T", "E"]).text, "BTE");
  assert.deepEqual(encoded("aA", ["a", "A"]).symbols, [0, 1]);
});

test("words, powers, lists", () => {
  assert.deepEqual(wordOf([1, 2], 2), [0, 0, 1, 1, 1, 1]);
  assert.equal(withPowers([0, 0, 1, 1, 1, 0], ["a", "b"]), "a²b³a");
  assert.equal(either(["a", "b", "c"]), "a, b or c");
  assert.equal(likeliest([0.1, 0.7, 0.2]), 1);
});

test("a text is followed until it leaves the language", () => {
  const abb = table([[1, -1], [-1, 2], [-1, 0]]);
  assert.deepEqual(walked(abb, [0, 1, 1, 0]), [0, 1, 2, 0, 1]);
  assert.deepEqual(walked(abb, [0, 0, 1]), [0, 1, null, null]);
  assert.deepEqual(allowedIn(abb, 1), [1]);
});

test("the drawn automaton waits for the next word where a word is longer than it knows", () => {
  const short = table([[1, -1], [-1, 0]]); // ab
  const long = table([[1, -1], [2, 0], [-1, 3], [-1, 0]]); // ab, aabb
  const symbols = [0, 0, 1, 1, 0];
  assert.deepEqual(litStates(short, symbols, walked(long, symbols), true), [0, 1, null, null, 0, 1]);
  assert.deepEqual(litStates(short, symbols, walked(long, symbols), false), [0, 1, null, null, null, null]);
});

test("states of an automaton lie apart, inside the drawing, the first in its left half", () => {
  const chain = table(Array.from({ length: 12 }, (_, state) => [(state + 1) % 12, state % 3 ? -1 : (state + 5) % 12]));
  const { centres, width, height } = stateLayout(chain);
  centres.forEach(([x, y], state) => {
    assert.ok(x > 20 && y > 20 && x < width - 20 && y < height - 20);
    for (const [otherX, otherY] of centres.slice(state + 1)) assert.ok(Math.hypot(x - otherX, y - otherY) >= 60);
  });
  assert.ok(centres[0][0] <= width / 2 && width >= height);
});

test("one state with a loop, and arrows with several symbols", () => {
  const loop = table([[0, 0]]);
  assert.deepEqual(transitionsOf(loop), [{ source: 0, target: 0, symbols: [0, 1] }]);
  const { centres } = stateLayout(loop);
  assert.ok(!transitionPath(centres, 0, 0, false).d.includes("NaN"));
});

test("units that vary most, in their order", () => {
  assert.deepEqual(mostVaried([[0, 5, 1], [0, -5, 2], [0, 5, 4]], 2), [1, 2]);
});

test("labels of arrows that cross stand apart and clear of states", () => {
  const centres = [[0, 0], [120, 120], [0, 120], [120, 0]];
  const labels = labelPlaces([transitionPath(centres, 0, 1, false), transitionPath(centres, 2, 3, false)], centres);
  assert.ok(Math.hypot(labels[0][0] - labels[1][0], labels[0][1] - labels[1][1]) >= 18);
  for (const [x, y] of labels) for (const centre of centres) assert.ok(Math.hypot(x - centre[0], y - centre[1]) >= 29);
});
