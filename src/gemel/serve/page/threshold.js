// From distance to verdict: both errors at any threshold, the operating points, and what they rest on. A part of the
// view of the model; values in, elements out.

import { errors } from "./charts.js";
import { costs, thresholdOf } from "./decision.js";
import { choice, h, labelled, pairs, put, table } from "./dom.js";
import { far, percent, pointWords, rated } from "./words.js";

/** The decisions of a model, one at a time; which one, where there are several. */
export function calibrated(known) {
  const place = h("div", {});
  const select = choice(known.decisions.map(({ sides }, i) => [i, `with ${sides}`]));
  const turn = () => put(place, decisionView(known.decisions[Number(select.value)], known.distance));
  select.addEventListener("input", turn);
  turn();
  return [
    h(
      "section",
      {},
      h("h3", {}, "From distance to verdict"),
      h(
        "p",
        {},
        "Two errors trade against each other. ",
        h("b", {}, "FMR"),
        ", the false match rate: the share of different pairs that are accepted. ",
        h("b", {}, "FNMR"),
        ", the false non-match rate: the share of same pairs that are rejected. The threshold, the largest distance that counts as the same, moves both.",
      ),
      known.decisions.length > 1 && labelled("An item is compared", select),
      place,
    ),
  ];
}

function decisionView(decision, metric) {
  return [
    thresholds(decision, metric),
    h("h4", {}, "Operating points"),
    points(decision),
    h("h4", {}, "What this rests on"),
    rests(decision),
  ];
}

/** A slider over the threshold: both rates in words and on the curves. */
function thresholds(decision, metric) {
  const [low, high] = [decision.knots[0].distance, decision.knots[decision.knots.length - 1].distance];
  const first = thresholdOf(decision.points[0]);
  const start = Math.min(high, Math.max(low, Number.isFinite(first) ? first : (low + high) / 2));
  const slider = h("input", {
    type: "range",
    class: "slider",
    min: low,
    max: high,
    step: (high - low) / 1000,
    value: start,
  });
  const logarithmic = h("input", { type: "checkbox" });
  const output = h("output", { "aria-live": "off" });
  const [fmr, fnmr] = [h("dd", {}), h("dd", {})];
  const plot = errors(decision, metric);
  const say = () => {
    const threshold = Number(slider.value);
    const found = costs(decision.knots, threshold);
    output.textContent = far(threshold);
    slider.setAttribute(
      "aria-valuetext",
      `${far(threshold)}: FMR ${percent(found.fmr.value)}, FNMR ${percent(found.fnmr.value)}`,
    );
    put(fmr, rated(found.fmr));
    put(fnmr, rated(found.fnmr));
    plot.update(threshold, logarithmic.checked);
  };
  slider.addEventListener("input", say);
  logarithmic.addEventListener("input", say);
  say();
  const labelledSlider = labelled("Threshold", slider);
  labelledSlider.querySelector("label").append(" ", output);
  const rates = h(
    "dl",
    { class: "rates" },
    h("div", { class: "different" }, h("dt", {}, "FMR: different pairs accepted"), fmr),
    h("div", { class: "same" }, h("dt", {}, "FNMR: same pairs rejected"), fnmr),
  );
  return h(
    "div",
    { class: "thresholds" },
    h(
      "div",
      {},
      labelledSlider,
      rates,
      h("div", { class: "check" }, h("label", {}, logarithmic, h("span", {}, "Logarithmic rates"))),
    ),
    plot.element,
  );
}

function points(decision) {
  const rates = ratesOf(decision);
  const row = (point) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, point.name, h("small", {}, pointWords(point.name))),
      h("td", { class: "number" }, far(thresholdOf(point))),
      rates.map(([name]) => cell(point, name)),
    );
  return table(["Point", "Threshold", ...rates.map(([, words]) => words)], decision.points.map(row));
}

/** A rate, and its interval below it. */
function cell(point, name) {
  return h(
    "td",
    { class: "number" },
    percent(point[name]),
    h("small", {}, `${percent(point[`${name}_low`])} to ${percent(point[`${name}_high`])}`),
  );
}

/** The rates of a decision; where calibration met impostors, false matches of either kind by itself. */
function ratesOf({ skilled }) {
  const matches = skilled
    ? [
        ["fmr_random", "FMR, random"],
        ["fmr_skilled", "FMR, skilled"],
      ]
    : [["fmr", "FMR"]];
  return [...matches, ["fnmr", "FNMR"]];
}

function rests(decision) {
  const fpirs = decision.open_set?.fpirs ?? [];
  return pairs([
    ["Identities", decision.identities.toLocaleString("en")],
    ["Same pairs", decision.same.toLocaleString("en")],
    ["Different pairs", decision.different.toLocaleString("en")],
    ["Of them by impostors", decision.skilled ? decision.skilled.toLocaleString("en") : null],
    ["Prior", percent(decision.prior)],
    [
      "FPIR that can be asked for",
      fpirs.length ? `${percent(Math.min(...fpirs))} to ${percent(Math.max(...fpirs))}` : "none: too few identities",
    ],
  ]);
}
