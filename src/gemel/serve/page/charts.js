// What a decision looks like: a probability on a gauge, distances as a histogram, both error rates over every threshold;
// and what series and sounds look like. Values in, figures out; knows no server.

import { at, histogram } from "./decision.js";
import { svg } from "./dom.js";
import { across, figure, legend, logScale, path, scale, stairs, ticks, up, uprights } from "./plot.js";
import { far, percent } from "./words.js";

const BINS = 48;
const STEPS = 160;
const LEAST = 1e-4;
const DECADES = [1e-4, 1e-3, 0.01, 0.1, 1];

/** How probable *same* is, and from where on it is called so. update({probability, boundary, same}) */
export function gauge() {
  const shown = figure(74);
  const update = ({ probability, boundary, same }) => {
    const says = `Probability of the same: ${percent(probability)}. At the threshold: ${percent(boundary)}.`;
    shown.update(says, (width) => {
      const [left, right, top] = [1, width - 1, 28];
      const x = scale([0, 1], [left, right]);
      const kind = same === null ? "undecided" : same ? "same" : "different";
      const place = Math.min(right - 32, Math.max(left + 32, x(probability)));
      return [
        svg("rect", { class: "band different", x: left, y: top, width: x(boundary) - left, height: 16, rx: 3 }),
        svg("rect", { class: "band same", x: x(boundary), y: top, width: right - x(boundary), height: 16, rx: 3 }),
        svg("line", { class: "cut", x1: x(boundary), x2: x(boundary), y1: top - 4, y2: top + 20 }),
        boundaryWords(x(boundary), left, right, boundary),
        svg("circle", { class: `marker ${kind}`, cx: x(probability), cy: top + 8, r: 10 }),
        svg("text", { class: "strong", x: place, y: 14, "text-anchor": "middle" }, percent(probability)),
      ];
    });
  };
  return { element: shown.element, update };
}

/** The ends of the gauge and its threshold, named below it; an end gives way where the threshold is near. */
function boundaryWords(x, left, right, boundary) {
  const near = 58;
  const middle = Math.min(right - near, Math.max(left + near, x));
  const below = { y: 64 };
  return [
    svg("text", { ...below, x: middle, "text-anchor": "middle" }, `threshold ${percent(boundary)}`),
    middle - left > 135 && svg("text", { ...below, class: "faint", x: left, "text-anchor": "start" }, "different"),
    right - middle > 135 && svg("text", { ...below, class: "faint", x: right, "text-anchor": "end" }, "the same"),
  ];
}

/** Where this distance lies among those of same and different pairs. update({distance, threshold}) */
export function distances(decision, metric) {
  const shares = histogram(decision.knots, BINS);
  const shown = figure(
    212,
    "Distances of pairs with known answers. The less the two kinds overlap, the better; left of the threshold counts as the same.",
  );
  const update = ({ distance, threshold }) => {
    const says =
      `Histogram of the distances of same and of different pairs. This distance is ${far(distance)}, the threshold ${far(threshold)}. ` +
      `${percent(1 - at(decision.knots, distance, "fnmr"))} of same pairs and ${percent(at(decision.knots, distance, "fmr"))} of different ones are as near or nearer.`;
    shown.update(says, (width) => drawn(shares, { distance, threshold, metric, width }));
  };
  return { element: shown.element, update };
}

function drawn(shares, { distance, threshold, metric, width }) {
  const frame = { left: 4, right: width - 4, top: 24, ground: 168, title: `${metric} distance` };
  const [low, high] = [Math.min(shares.low, distance), Math.max(shares.high, distance)];
  const x = scale([low, high], [frame.left, frame.right]);
  const y = scale([0, Math.max(...shares.same, ...shares.different)], [frame.ground, frame.top + 34]);
  const edges = Array.from({ length: BINS + 1 }, (_, i) => x(shares.low + ((shares.high - shares.low) * i) / BINS));
  const kind = (name) =>
    svg("path", { class: `curve area ${name}`, d: stairs(edges, shares[name].map(y), frame.ground) });
  const cut =
    threshold >= low && threshold <= high
      ? [{ x: x(threshold), name: "cut", words: `threshold ${far(threshold)}` }]
      : [];
  return [
    legend(frame.left, [
      ["same", "same"],
      ["different", "different"],
    ]),
    kind("different"),
    kind("same"),
    across(x, ticks(low, high, width < 360 ? 4 : 6), far, { ...frame }),
    uprights([{ x: x(distance), name: "here", words: `this distance ${far(distance)}` }, ...cut], frame),
    svg("circle", { class: "marker here", cx: x(distance), cy: frame.ground, r: 6 }),
  ];
}

/** Both error rates over every threshold, with their intervals. update(threshold, logarithmic) */
export function errors(decision, metric) {
  const { knots } = decision;
  const shown = figure(
    290,
    "Bands: 95% intervals over samples of identities. A nearer threshold accepts fewer different pairs and rejects more same ones.",
  );
  const update = (threshold, logarithmic) => {
    const [fmr, fnmr] = ["fmr", "fnmr"].map((name) => percent(at(knots, threshold, name)));
    const says = `Error rates over every threshold. At ${far(threshold)}: FMR ${fmr}, FNMR ${fnmr}.`;
    shown.update(says, (width) => curves(knots, { threshold, logarithmic, metric, width }));
  };
  return { element: shown.element, update };
}

function curves(knots, { threshold, logarithmic, metric, width }) {
  const frame = { left: 48, right: width - 12, top: 26, ground: 244, title: `threshold (${metric} distance)` };
  const [low, high] = [knots[0].distance, knots[knots.length - 1].distance];
  const x = scale([low, high], [frame.left, frame.right]);
  const y = logarithmic ? logScale([LEAST, 1], [frame.ground, frame.top]) : scale([0, 1], [frame.ground, frame.top]);
  const grid = Array.from({ length: STEPS + 1 }, (_, i) => low + ((high - low) * i) / STEPS);
  const along = (field) => grid.map((distance) => [x(distance), y(at(knots, distance, field))]);
  const kind = (rate, name) => [
    svg("path", {
      class: `interval ${name}`,
      d: `${path([...along(`${rate}_low`), ...along(`${rate}_high`).reverse()])}Z`,
    }),
    svg("path", { class: `curve ${name}`, d: path(along(rate)) }),
  ];
  const dot = (rate, name) =>
    svg("circle", { class: `marker ${name}`, cx: x(threshold), cy: y(at(knots, threshold, rate)), r: 6 });
  return [
    legend(
      frame.left,
      [
        ["different", "FMR: different accepted"],
        ["same", "FNMR: same rejected"],
      ].map(([name, words]) => [name, width < 420 ? words.split(":")[0] : words]),
    ),
    up(y, logarithmic ? DECADES : [0, 0.2, 0.4, 0.6, 0.8, 1], percent, frame),
    kind("fmr", "different"),
    kind("fnmr", "same"),
    across(x, ticks(low, high, width < 420 ? 4 : 6), far, frame),
    svg("line", { class: "cut", x1: x(threshold), x2: x(threshold), y1: frame.top, y2: frame.ground }),
    dot("fmr", "different"),
    dot("fnmr", "same"),
  ];
}

/** A small plot of a series: a line for each channel. */
export function series(rows) {
  const shown = figure(96);
  const channels = Math.max(...rows.map((row) => row.length));
  const values = rows.flat().filter(Number.isFinite);
  const [low, high] = values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  const says = `A series of ${rows.length} steps${channels > 1 ? ` in ${channels} channels` : ""}, from ${far(low)} to ${far(high)}.`;
  shown.update(says, (width) => {
    const [x, y] = [scale([0, rows.length - 1], [4, width - 4]), scale([low, high], [88, 8])];
    const line = (c) => path(rows.map((row, t) => [x(t), y(row[c])]).filter(([, v]) => Number.isFinite(v)));
    return Array.from({ length: channels }, (_, c) => svg("path", { class: `line channel-${c % 4}`, d: line(c) }));
  });
  return shown.element;
}

/** The outline of a sound: from the loudest to the lowest in each of many steps, [[low, high], …], -1 to 1. */
export function wave(peaks) {
  const shown = figure(56);
  shown.update("The outline of the sound.", (width) => {
    const [x, y] = [scale([0, peaks.length - 1], [2, width - 2]), scale([-1, 1], [54, 2])];
    const upper = peaks.map(([, high], i) => [x(i), y(Math.max(high, 0.01))]);
    const lower = peaks.map(([low], i) => [x(i), y(Math.min(low, -0.01))]).reverse();
    return svg("path", { class: "wave", d: `${path([...upper, ...lower])}Z` });
  });
  return shown.element;
}
