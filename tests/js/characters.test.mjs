// The characters view's drawing and confusion matrix.

import assert from "node:assert/strict";
import { test } from "node:test";

import { cellWords, imagesBehind, percentage, rowShares, worstCell } from "../../src/hudyn/page/assets/confusions.js";
import { IMAGE_SIDE, centredDrawing, inkBox, networkInputs, unmovedDrawing } from "../../src/hudyn/page/assets/drawing.js";

const SIDE = 280;

function drawn(...boxes) {
  const ink = new Float32Array(SIDE * SIDE);
  for (const [left, top, right, bottom] of boxes) {
    for (let y = top; y < bottom; y++) ink.fill(1, y * SIDE + left, y * SIDE + right);
  }
  return ink;
}

function centre(values) {
  let [total, x, y] = [0, 0, 0];
  for (const [place, value] of values.entries()) {
    total += value;
    x += value * ((place % IMAGE_SIDE) + 0.5);
    y += value * (Math.floor(place / IMAGE_SIDE) + 0.5);
  }
  return [x / total, y / total];
}

function matrixOf(...rows) {
  const matrix = Int32Array.from(rows.flat());
  matrix.shape = [rows.length, rows.length];
  return matrix;
}

test("the box of a drawing is where its ink is", () => {
  assert.deepEqual(inkBox(drawn([40, 30, 60, 90]), SIDE), [40, 30, 60, 90]);
  assert.equal(inkBox(drawn(), SIDE), null);
});

test("an empty pad is a black image", () => {
  assert.ok(centredDrawing(drawn(), SIDE).every((value) => value === 0));
  assert.ok(networkInputs(centredDrawing(drawn(), SIDE)).every((value) => value === -1));
});

test("a drawing in a corner comes to the middle, at the same size as in the middle", () => {
  const corner = centredDrawing(drawn([0, 0, 140, 140]), SIDE);
  const middle = centredDrawing(drawn([70, 70, 210, 210]), SIDE);
  corner.forEach((value, place) => assert.ok(Math.abs(value - middle[place]) < 1e-5));
  centre(corner).forEach((value) => assert.ok(Math.abs(value - IMAGE_SIDE / 2) < 0.01));
});

test("a drawing keeps its proportions and is not enlarged without end", () => {
  const wide = centredDrawing(drawn([0, 100, 280, 170]), SIDE);
  const [left, top, right, bottom] = inkBox(wide, IMAGE_SIDE);
  assert.ok(Math.abs((right - left) / (bottom - top) - 4) < 0.7);
  const dot = centredDrawing(drawn([10, 10, 30, 30]), SIDE);
  const [from, , to] = inkBox(dot, IMAGE_SIDE);
  assert.ok(to - from <= 5 && to - from >= 3);
});

test("a drawing fills the image, its box in the middle", () => {
  const values = centredDrawing(drawn([0, 0, 60, 150], [0, 120, 200, 150]), SIDE);
  assert.deepEqual(inkBox(values, IMAGE_SIDE), [0, 3, 28, 25]);
});

test("edges are grey, not ragged", () => {
  const values = centredDrawing(drawn([13, 13, 118, 251]), SIDE);
  assert.ok(values.some((value) => value > 0.05 && value < 0.95));
});

test("an image of the data that is put on the pad comes back as it was", () => {
  const image = Float32Array.from({ length: IMAGE_SIDE ** 2 }, (_, place) => ((place * 37) % 256) / 255);
  const pad = Float32Array.from({ length: SIDE ** 2 }, (_, place) => {
    const [x, y] = [place % SIDE, Math.floor(place / SIDE)].map((value) => Math.floor(value / 10));
    return image[y * IMAGE_SIDE + x];
  });
  unmovedDrawing(pad, SIDE).forEach((value, place) => assert.ok(Math.abs(value - image[place]) < 1e-6));
});

test("shares are of the true class, and the worst cell is off the diagonal", () => {
  const matrix = matrixOf([90, 10, 0], [30, 60, 10], [0, 5, 0]);
  const { totals, shares } = rowShares(matrix);
  assert.deepEqual(totals, [100, 100, 5]);
  assert.equal(shares[3], 0.3);
  assert.equal(worstCell(matrix), 3);
  assert.equal(cellWords(matrix, ["お o", "き ki", "す su"], 3), "き ki taken for お o: 30 of 100 images (30.0 %)");
  assert.equal(cellWords(matrix, ["お o", "き ki", "す su"], 0), "お o recognised: 90 of 100 images (90.0 %)");
});

test("a class without images has shares of 0", () => {
  assert.ok([...rowShares(matrixOf([0, 0], [1, 2])).shares].every(Number.isFinite));
});

test("a cell opens its images of the member that is shown, and says when they are not kept", () => {
  const kept = [{ member: 2, cells: [1, 3, 1], images: [7, 8, 9], confidences: [0.9, 0.8, 0.7] }];
  assert.deepEqual(imagesBehind(kept, 2, 1), [{ image: 7, confidence: 0.9 }, { image: 9, confidence: 0.7 }]);
  assert.deepEqual(imagesBehind(kept, 2, 0), []);
  assert.equal(imagesBehind(kept, 0, 1), null);
});

test("a probability below 1 is never shown as 100 %", () => {
  assert.equal(percentage(0.99999), "99.9 %");
  assert.equal(percentage(1), "100.0 %");
  assert.equal(percentage(0.144), "14.4 %");
  assert.equal(percentage(0.9388, 2), "93.88 %");
});
