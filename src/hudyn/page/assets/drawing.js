// A pad to draw a character on, with mouse, pen, finger or keys, and the drawing as a network's input.

import { button, canvas, element, oncePerFrame } from "./plot.js";

export const IMAGE_SIDE = 28; // pixels of the networks' inputs
const PAD_SIDE = 280;
const BRUSH = 24; // width of a stroke on the pad
const MAGNIFIED = 2; // times that a small drawing is enlarged at most

/** The box around the ink of [side · side] values in 0..1: [left, top, right, bottom]; null without ink. */
export function inkBox(ink, side) {
  let [left, top, right, bottom] = [side, side, 0, 0];
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      if (ink[y * side + x] < 0.2) continue;
      [left, right] = [Math.min(left, x), Math.max(right, x + 1)];
      [top, bottom] = [Math.min(top, y), Math.max(bottom, y + 1)];
    }
  }
  return right > left ? [left, top, right, bottom] : null;
}

/**
 * Ink [side · side] as an image of 28 × 28 values in 0..1: its box in the middle and scaled to fill the image, as in
 * KMNIST, where the longer side of nearly every character is 28 pixels.
 */
export function centredDrawing(ink, side) {
  const box = inkBox(ink, side);
  if (!box) return new Float32Array(IMAGE_SIDE ** 2);
  const [left, top, right, bottom] = box;
  const window = Math.max(right - left, bottom - top, side / MAGNIFIED);
  return resampled(ink, side, [(left + right - window) / 2, (top + bottom - window) / 2], window / IMAGE_SIDE);
}

/** Ink [side · side] as an image of 28 × 28 values in 0..1, as it lies on the pad. */
export function unmovedDrawing(ink, side) {
  return resampled(ink, side, [0, 0], side / IMAGE_SIDE);
}

/** Means of ink over 28 × 28 squares with sides of `size`, the first from `left`, `top` on. */
function resampled(ink, side, [left, top], size) {
  const width = side + 1;
  const sums = new Float64Array(width * width); // of the ink above and to the left
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      sums[(y + 1) * width + x + 1] = ink[y * side + x] + sums[y * width + x + 1] + sums[(y + 1) * width + x] - sums[y * width + x];
    }
  }
  const sumTo = (x, y) => {
    const [inX, inY] = [Math.min(side, Math.max(0, x)), Math.min(side, Math.max(0, y))];
    const [column, row] = [Math.min(side - 1, Math.floor(inX)), Math.min(side - 1, Math.floor(inY))];
    const [right, down] = [inX - column, inY - row];
    const at = (below, beside) => sums[(row + below) * width + column + beside];
    return (1 - down) * ((1 - right) * at(0, 0) + right * at(0, 1)) + down * ((1 - right) * at(1, 0) + right * at(1, 1));
  };
  return Float32Array.from({ length: IMAGE_SIDE ** 2 }, (_, place) => {
    const x = left + (place % IMAGE_SIDE) * size;
    const y = top + Math.floor(place / IMAGE_SIDE) * size;
    return (sumTo(x + size, y + size) - sumTo(x, y + size) - sumTo(x + size, y) + sumTo(x, y)) / size ** 2;
  });
}

/** A network's inputs, -1..1, from values in 0..1. */
export function networkInputs(values) {
  return Float32Array.from(values, (value) => 2 * value - 1);
}

/**
 * A pad to draw on; `change(values, isDrawn)` gets the drawing, 28 × 28 values in 0..1, whenever it changes, and whether
 * anything of it was drawn by hand. `show(bytes)` puts an image of the data on the pad.
 */
export function drawingPad(change) {
  const ink = element("canvas", { width: PAD_SIDE, height: PAD_SIDE });
  const brush = ink.getContext("2d", { willReadFrequently: true });
  Object.assign(brush, { lineCap: "round", lineJoin: "round", lineWidth: BRUSH, strokeStyle: "#fff", imageSmoothingEnabled: false });
  const { node, context } = canvas(PAD_SIDE, PAD_SIDE, "Drawing pad. Arrow keys move the pen, space lowers or lifts it, Delete clears the pad.");
  node.setAttribute("role", "application");
  node.tabIndex = 0;
  const pen = { x: PAD_SIDE / 2, y: PAD_SIDE / 2, isDown: false, isByKeys: false };
  let isImage = false; // whether an image of the data is on the pad, which stays where it is
  const values = () => {
    const { data } = brush.getImageData(0, 0, PAD_SIDE, PAD_SIDE);
    const all = new Float32Array(PAD_SIDE ** 2);
    for (let at = 0; at < all.length; at++) all[at] = data[4 * at] / 255;
    return (isImage ? unmovedDrawing : centredDrawing)(all, PAD_SIDE);
  };
  const show = () => {
    context.drawImage(ink, 0, 0, PAD_SIDE, PAD_SIDE);
    if (!pen.isByKeys || document.activeElement !== node) return;
    context.beginPath();
    context.arc(pen.x, pen.y, BRUSH / 2, 0, 2 * Math.PI);
    Object.assign(context, { strokeStyle: "#ffb26b", lineWidth: 3, fillStyle: "#ffb26b" });
    if (pen.isDown) context.fill();
    context.stroke();
  };
  const changed = oncePerFrame(() => {
    show();
    change(values(), true);
  });
  const stroke = (x, y) => {
    brush.beginPath();
    brush.moveTo(pen.x, pen.y);
    brush.lineTo(x, y);
    brush.stroke();
    changed();
  };
  const blank = () => {
    brush.fillStyle = "#000";
    brush.fillRect(0, 0, PAD_SIDE, PAD_SIDE);
    isImage = false;
  };
  const clear = () => {
    blank();
    changed();
  };
  const place = (event) => {
    const box = node.getBoundingClientRect();
    return [((event.clientX - box.left) * PAD_SIDE) / box.width, ((event.clientY - box.top) * PAD_SIDE) / box.height];
  };
  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    node.setPointerCapture(event.pointerId);
    Object.assign(pen, { isDown: true, isByKeys: false });
    [pen.x, pen.y] = place(event);
    stroke(pen.x, pen.y);
  });
  node.addEventListener("pointermove", (event) => {
    if (!pen.isDown || pen.isByKeys) return;
    const to = place(event);
    stroke(...to);
    [pen.x, pen.y] = to;
  });
  for (const name of ["pointerup", "pointercancel"]) node.addEventListener(name, () => (pen.isDown = false));
  node.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step && ![" ", "Delete", "Backspace"].includes(event.key)) return;
    event.preventDefault();
    pen.isByKeys = true;
    if (step) {
      const to = [pen.x + 10 * step[0], pen.y + 10 * step[1]].map((value) => Math.min(PAD_SIDE, Math.max(0, value)));
      if (pen.isDown) stroke(...to);
      [pen.x, pen.y] = to;
    } else if (event.key === " ") {
      pen.isDown = !pen.isDown;
      if (pen.isDown) stroke(pen.x, pen.y);
    } else clear();
    show();
  });
  node.addEventListener("focus", () => {
    pen.isByKeys = node.matches(":focus-visible");
    show();
  });
  node.addEventListener("blur", () => {
    pen.isDown = false;
    show();
  });
  blank();
  return {
    root: element("div", { class: "pad" }, node, element("div", { class: "controls" }, button("Clear", clear, "Clear the pad"))),
    show(bytes) {
      const image = new ImageData(IMAGE_SIDE, IMAGE_SIDE);
      for (const [at, byte] of bytes.entries()) image.data.set([byte, byte, byte, 255], 4 * at);
      const small = element("canvas", { width: IMAGE_SIDE, height: IMAGE_SIDE });
      small.getContext("2d").putImageData(image, 0, 0);
      brush.drawImage(small, 0, 0, PAD_SIDE, PAD_SIDE);
      isImage = true;
      show();
      change(values(), false);
    },
  };
}
