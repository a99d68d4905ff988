// How a figure is drawn: an SVG as wide as its place, redrawn when that changes, in the colours of the style sheet.
// Scales, ticks, axes and paths. Knows nothing of what they show.

import { h, put, svg } from "./dom.js";

/** A figure. `update(says, draw)` shows something: `says` in words, and draw(width, height) → SVG elements. */
export function figure(height, caption = "") {
  const canvas = svg("svg", { role: "img", height });
  const note = h("figcaption", {}, caption);
  const element = h("figure", { class: "plot" }, canvas, caption && note);
  let drawing = null;
  const redraw = () => {
    const width = Math.floor(canvas.parentElement?.clientWidth ?? 0);
    if (!drawing || width === 0) return;
    canvas.setAttribute("viewBox", `0 0 ${width} ${height}`);
    canvas.setAttribute("width", width);
    put(canvas, drawing(width, height));
  };
  new ResizeObserver(redraw).observe(element);
  return {
    element,
    update(says, draw) {
      canvas.setAttribute("aria-label", says);
      drawing = draw;
      redraw();
    },
  };
}

/** A linear scale from data to pixels. */
export const scale =
  ([low, high], [start, end]) =>
  (value) =>
    start + ((value - low) / (high - low || 1)) * (end - start);

/** A logarithmic one; what is below the least value lies at it. */
export function logScale([low, high], pixels) {
  const linear = scale([Math.log10(low), Math.log10(high)], pixels);
  return (value) => linear(Math.log10(Math.max(low, value)));
}

/** About so many round numbers between two. */
export function ticks(low, high, count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((digit) => digit * power >= rough) * power;
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i += 1)
    found.push(Number((i * step).toPrecision(12)));
  return found;
}

/** A path through points. */
export const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

/** Steps: heights between edges, from the ground and back to it. */
export function stairs(edges, heights, ground) {
  const points = heights.flatMap((y, i) => [
    [edges[i], y],
    [edges[i + 1], y],
  ]);
  return path([[edges[0], ground], ...points, [edges[edges.length - 1], ground]]);
}

/** The axis along the bottom: a line, ticks and their numbers, and what it shows. */
export function across(x, values, words, { left, right, ground, title }) {
  return [
    svg("line", { class: "axis", x1: left, x2: right, y1: ground, y2: ground }),
    values.map((value) => [
      svg("line", { class: "axis", x1: x(value), x2: x(value), y1: ground, y2: ground + 4 }),
      svg("text", { x: x(value), y: ground + 17, "text-anchor": "middle" }, words(value)),
    ]),
    svg("text", { class: "title", x: (left + right) / 2, y: ground + 35, "text-anchor": "middle" }, title),
  ];
}

/** The axis up the left: faint lines across the figure, and their numbers. */
export function up(y, values, words, { left, right }) {
  return values.map((value) => [
    svg("line", { class: "grid", x1: left, x2: right, y1: y(value), y2: y(value) }),
    svg("text", { x: left - 7, y: y(value) + 4, "text-anchor": "end" }, words(value)),
  ]);
}

/** Upright lines, {x, name, words}, each with its words on the side where there is room, one below the other. */
export function uprights(marks, { top, ground, left, right }) {
  const beside = (x) =>
    x < (left + right) / 2 ? { x: x + 6, "text-anchor": "start" } : { x: x - 6, "text-anchor": "end" };
  return [
    marks.map(({ x, name }) => svg("line", { class: name, x1: x, x2: x, y1: top, y2: ground })),
    marks.map(({ x, name, words }, level) =>
      svg("text", { class: `beside ${name}`, y: top + 10 + 16 * level, ...beside(x) }, words),
    ),
  ];
}

/** The names of the two kinds, above the figure. */
export function legend(left, entries) {
  let x = left;
  return entries.map(([name, words]) => {
    const found = svg(
      "g",
      { class: name },
      svg("line", { class: "curve", x1: x, x2: x + 24, y1: 8, y2: 8 }),
      svg("text", { x: x + 30, y: 12 }, words),
    );
    x += 46 + 6.6 * words.length;
    return found;
  });
}
