// The phase portrait of two hidden units: predictions, the map of a symbol, its fixed points, the states of the text.

import { drawFixedPoints, drawMark, drawVisits, fixedPointItems, inWords, legendItem, pointerAt, stage, symbolColour } from "./marks.js";
import { centreOf, fixedPoints, gridPoints, mapOf, predictedRegions } from "./maps.js";
import { element, extent, linear, readable, themeColour } from "./plot.js";

const MAP_ARROWS = 15; // along each side
const PORTRAIT_STARTS = 6; // of Newton's method, along each side
const PORTRAIT_EDGES = { left: 46, right: 10, top: 10, bottom: 40 };
const GRIP = 24; // pixels from which the start can be taken

/** The part of the plane that is shown: all of it for bounded units, else around the visited states. */
export function shownBox(visited, bounded) {
  if (bounded) return [[-1.08, 1.08], [-1.08, 1.08]];
  return [0, 1].map((unit) => extent(visited.map((state) => state.hidden[unit]), 0.2));
}

/**
 * The portrait: {node, draw(scene), glide()}.
 *
 * A scene is {network, alphabet, bounded, visited, states, symbols, position, from, map};
 * `moveStart(hidden)` is called as the start is dragged, `tell(items)` with the lines of the legend.
 */
export function phasePortrait(moveStart, tell) {
  let scene = null;
  let x, y;
  let shown = { key: [], picture: null, points: [] };
  const node = stage({
    label: "Phase portrait of the two hidden units. Drag the start, or move it with the arrow keys.",
    ratio: 1,
    paint(context, width, height, progress) {
      if (!scene) return;
      const box = shownBox(scene.visited, scene.bounded);
      x = linear(box[0], [PORTRAIT_EDGES.left, width - PORTRAIT_EDGES.right]);
      y = linear(box[1], [height - PORTRAIT_EDGES.bottom, PORTRAIT_EDGES.top]);
      const key = [scene.network, scene.map, width, context.getTransform().a, themeColour("--paper"), ...box.flat()];
      if (key.some((value, place) => value !== shown.key[place])) {
        shown = { key, ...portraitBackground(scene, box, x, y, width, height, context.getTransform()) };
        tell([legendItem("start", "start, which you can drag"), legendItem("current", "current state"), ...fixedPointItems(shown.points)]);
        words.replaceChildren(...shown.points.map((point) => element("li", {}, inWords(point))));
        if (!shown.points.length) words.append(element("li", {}, "no isolated fixed point in view"));
      }
      context.drawImage(shown.picture, 0, 0, width, height);
      context.save();
      context.beginPath();
      context.rect(PORTRAIT_EDGES.left, PORTRAIT_EDGES.top, width - PORTRAIT_EDGES.left - PORTRAIT_EDGES.right, height - PORTRAIT_EDGES.top - PORTRAIT_EDGES.bottom);
      context.clip();
      const place = ([h1, h2]) => [x(h1), y(h2)];
      drawFixedPoints(context, shown.points, place);
      const pixels = scene.states.map((state) => place(state.hidden));
      drawVisits(context, pixels, scene.symbols, { ...scene, progress });
      drawMark(context, "start", ...pixels[0]);
      context.restore();
    },
  });
  const words = element("ul", { class: "note points" });
  const isNearStart = (event) => {
    if (!scene) return false;
    const [px, py] = pointerAt(node, event);
    const [h1, h2] = scene.states[0].hidden;
    return Math.hypot(px - x(h1), py - y(h2)) < GRIP;
  };
  const within = (value) => (scene.bounded ? Math.max(-1, Math.min(1, value)) : Math.max(0, value));
  let dragging = false;
  node.style.touchAction = "pan-y";
  node.addEventListener("touchstart", (event) => isNearStart(event.touches[0]) && event.preventDefault(), { passive: false });
  node.addEventListener("pointerdown", (event) => {
    dragging = isNearStart(event);
    if (dragging) node.setPointerCapture(event.pointerId);
  });
  node.addEventListener("pointermove", (event) => {
    node.style.cursor = dragging ? "grabbing" : isNearStart(event) ? "grab" : "";
    if (!dragging) return;
    const [px, py] = pointerAt(node, event);
    moveStart([within(x.invert(px)), within(y.invert(py))]);
  });
  for (const name of ["pointerup", "pointercancel"]) node.addEventListener(name, () => (dragging = false));
  node.addEventListener("keydown", (event) => {
    const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!direction || !scene) return;
    event.preventDefault();
    event.stopPropagation();
    const size = (x.invert(1) - x.invert(0)) * (event.shiftKey ? 20 : 4);
    moveStart(Array.from(scene.states[0].hidden, (value, unit) => within(value + size * direction[unit])));
  });
  return {
    node: element("div", {}, node, words),
    draw(next) {
      scene = next;
      node.draw();
    },
    glide: () => node.glide(),
  };
}

/** The drawing behind the states, {picture, points}: what is predicted where, the arrows of the map; and its fixed points. */
function portraitBackground(scene, box, x, y, width, height, transform) {
  const picture = document.createElement("canvas");
  [picture.width, picture.height] = [width * transform.a, height * transform.a];
  const context = picture.getContext("2d");
  context.setTransform(transform);
  const [ink, soft, paper] = ["--ink", "--soft", "--paper"].map(themeColour);
  context.font = "12px system-ui, sans-serif";
  const regions = predictedRegions(scene.network.logits, box);
  for (const { symbol, polygon } of regions) {
    context.beginPath();
    polygon.forEach(([h1, h2], place) => (place ? context.lineTo(x(h1), y(h2)) : context.moveTo(x(h1), y(h2))));
    context.closePath();
    context.globalAlpha = 0.16;
    context.fillStyle = symbolColour(symbol);
    context.fill();
    context.globalAlpha = 0.7;
    context.lineWidth = 1.5;
    context.strokeStyle = soft;
    context.stroke();
  }
  const map = mapOf(scene.network, scene.map);
  const cell = (x(box[0][1]) - x(box[0][0])) / MAP_ARROWS;
  for (const point of gridPoints(box, MAP_ARROWS)) {
    const image = map(point);
    const from = [x(point[0]), y(point[1])];
    drawMapArrow(context, from, x(image[0]) - from[0], y(image[1]) - from[1], cell, ink);
  }
  context.globalAlpha = 1;
  context.strokeStyle = paper;
  context.fillStyle = ink;
  context.lineWidth = 4;
  context.lineJoin = "round";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.font = "600 13px system-ui, sans-serif";
  for (const { symbol, polygon } of regions) {
    const [h1, h2] = centreOf(polygon);
    const text = `→ ${scene.alphabet[symbol]}`;
    context.strokeText(text, x(h1), y(h2));
    context.fillText(text, x(h1), y(h2));
  }
  context.font = "12px system-ui, sans-serif";
  context.fillStyle = soft;
  for (const tick of x.ticks()) context.fillText(readable(tick), x(tick), height - PORTRAIT_EDGES.bottom + 12);
  context.fillText("hidden unit 1", (x(box[0][0]) + x(box[0][1])) / 2, height - 10);
  context.textAlign = "right";
  for (const tick of y.ticks()) context.fillText(readable(tick), PORTRAIT_EDGES.left - 5, y(tick));
  context.textAlign = "center";
  context.translate(9, (y(box[1][0]) + y(box[1][1])) / 2);
  context.rotate(-Math.PI / 2);
  context.fillText("hidden unit 2", 0, 0);
  return { picture, points: fixedPoints(map, gridPoints(box, PORTRAIT_STARTS), box) };
}

/** An arrow of the map, no longer than its cell: longer moves are darker. */
function drawMapArrow(context, [x, y], dx, dy, cell, colour) {
  const length = Math.hypot(dx, dy);
  if (!(length > 0.5)) return;
  const drawn = Math.min(length, 0.85 * cell);
  const [ux, uy] = [dx / length, dy / length];
  const [tipX, tipY] = [x + ux * drawn, y + uy * drawn];
  const head = Math.min(5, drawn * 0.6);
  context.globalAlpha = 0.22 + 0.4 * Math.min(1, length / (4 * cell));
  context.strokeStyle = colour;
  context.lineWidth = 1.1;
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(tipX, tipY);
  context.moveTo(tipX - head * (ux + 0.6 * uy), tipY - head * (uy - 0.6 * ux));
  context.lineTo(tipX, tipY);
  context.lineTo(tipX - head * (ux - 0.6 * uy), tipY - head * (uy + 0.6 * ux));
  context.stroke();
}
