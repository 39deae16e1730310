// Texts that are too faint against what is behind them (WCAG 2.2, 1.4.3): 4.5, or 3 for large text.

const canvas = document.createElement("canvas");
canvas.width = canvas.height = 1;
const context = canvas.getContext("2d", { willReadFrequently: true });
const rgba = (colour) => {
  context.clearRect(0, 0, 1, 1);
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
};
const luminance = ([r, g, b]) => {
  const part = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
};
const behind = (node) => {
  for (; node; node = node.parentElement) {
    const colour = rgba(getComputedStyle(node).backgroundColor);
    if (colour[3] > 0.99) return colour;
  }
  return [255, 255, 255, 1];
};
const faint = [];
for (const node of document.querySelectorAll("body *")) {
  const text = [...node.childNodes].filter((child) => child.nodeType === 3).map((child) => child.data.trim()).join("");
  const isSeen = node.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  if (!text || !isSeen || node.closest("script, style, title, noscript, .skip")) continue;
  const look = getComputedStyle(node);
  const inDrawing = node.closest("svg");
  const mark = inDrawing && [...node.parentElement.querySelectorAll(":scope > circle, :scope > rect")].at(-1); // under it
  const one = luminance(rgba(inDrawing ? look.fill : look.color));
  const other = luminance(mark ? rgba(getComputedStyle(mark).fill) : behind(inDrawing ? inDrawing.parentElement : node));
  const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  const size = parseFloat(look.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(look.fontWeight) >= 700);
  if (ratio < (large ? 3 : 4.5) && !node.disabled) faint.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
}
return faint;
