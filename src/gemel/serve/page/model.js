// The view of the model: what it is, how often it errs and at which thresholds, what that rests on, what the server takes.

import { errors } from "./charts.js";
import { costs, thresholdOf } from "./decision.js";
import { choice, h, labelled, put } from "./dom.js";
import { far, many, measureWords, noun, percent, pointWords, rated } from "./words.js";

/** Build the view in its panel. */
export function model(panel, app) {
  const known = app.model;
  put(
    panel,
    h("h2", {}, "What this model is, and how often it errs"),
    ...facts(known),
    ...measures(known),
    ...(known.decisions.length ? calibrated(known) : [h("p", { class: "warning" }, "This model is not calibrated for verdicts: it knows how far apart two items are, but not up to which distance they are the same, nor how often that would be wrong. To calibrate it: gemel calibrate MODEL DATA")]),
    h("section", {}, h("h3", {}, "What the server takes"), limits(known)),
  );
  return {};
}

const pairs = (entries) => h("dl", {}, entries.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));

function facts(known) {
  return [
    pairs([
      ["Compares", known.compares],
      ["By", `${known.distance} distance of ${known.dim.toLocaleString("en")} dimensions`],
      ["Fields", known.fields.filter(({ field }) => field).map(({ field, kind }) => `${field} (${noun(kind)})`).join(", ")],
      ["Encoder", known.encoder],
      ["Trained", known.trained?.slice(0, 10)],
      ["Enrolled", `${many(known.enrolled, "identity")}, ${many(known.items, "item")}`],
      ["Gallery", known.durable ? "kept on disk or in a database" : "in memory: gone when the server stops"],
    ]),
    known.describe && h("details", {}, h("summary", {}, "In the words of gemel info"), h("pre", {}, known.describe)),
  ];
}

function measures({ measures: found }) {
  if (!found?.length) return [];
  const row = ({ name, value, low, high }) => h("tr", {}, h("th", { scope: "row" }, measureWords(name)), h("td", { class: "number" }, measured(name, value)), h("td", { class: "number" }, Number.isFinite(low) && `${measured(name, low)} to ${measured(name, high)}`));
  const intervals = found.some(({ low }) => Number.isFinite(low)) ? "95% interval" : "";
  return [h("section", {}, h("h3", {}, "Measures"), table(["Measure", "Value", intervals], found.map(row)))];
}

/** A correlation and a cost in bits are numbers, and the rest are rates. */
const measured = (name, value) => (/cllr|pearson|spearman/i.test(name) || value > 1 || value < 0 ? far(value) : percent(value));

/** A table in a box of its own, which scrolls where it is too wide. */
function table(heads, rows) {
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "group", "aria-label": "Table" },
    h("table", {}, h("thead", {}, h("tr", {}, heads.map((words, i) => h("th", { scope: "col", class: i ? "number" : null }, words)))), h("tbody", {}, rows)),
  );
}

function calibrated(known) {
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
      h("p", {}, "Two errors trade against each other. ", h("b", {}, "FMR"), ", the false match rate: the share of different pairs that are accepted. ", h("b", {}, "FNMR"), ", the false non-match rate: the share of same pairs that are rejected. The threshold, the largest distance that counts as the same, moves both."),
      known.decisions.length > 1 && labelled("An item is compared", select),
      place,
    ),
  ];
}

function decisionView(decision, metric) {
  return [thresholds(decision, metric), h("h4", {}, "Operating points"), points(decision), h("h4", {}, "What this rests on"), rests(decision)];
}

/** A slider over the threshold: both rates in words and on the curves. */
function thresholds(decision, metric) {
  const [low, high] = [decision.knots[0].distance, decision.knots[decision.knots.length - 1].distance];
  const first = thresholdOf(decision.points[0]);
  const start = Math.min(high, Math.max(low, Number.isFinite(first) ? first : (low + high) / 2));
  const slider = h("input", { type: "range", class: "slider", min: low, max: high, step: (high - low) / 1000, value: start });
  const logarithmic = h("input", { type: "checkbox" });
  const output = h("output", { "aria-live": "off" });
  const [fmr, fnmr] = [h("dd", {}), h("dd", {})];
  const plot = errors(decision, metric);
  const say = () => {
    const threshold = Number(slider.value);
    const found = costs(decision.knots, threshold);
    output.textContent = far(threshold);
    slider.setAttribute("aria-valuetext", `${far(threshold)}: FMR ${percent(found.fmr.value)}, FNMR ${percent(found.fnmr.value)}`);
    put(fmr, rated(found.fmr));
    put(fnmr, rated(found.fnmr));
    plot.update(threshold, logarithmic.checked);
  };
  slider.addEventListener("input", say);
  logarithmic.addEventListener("input", say);
  say();
  const labelledSlider = labelled("Threshold", slider);
  labelledSlider.querySelector("label").append(" ", output);
  const rates = h("dl", { class: "rates" }, h("div", { class: "different" }, h("dt", {}, "FMR: different pairs accepted"), fmr), h("div", { class: "same" }, h("dt", {}, "FNMR: same pairs rejected"), fnmr));
  return h("div", { class: "thresholds" }, h("div", {}, labelledSlider, rates, h("div", { class: "check" }, h("label", {}, logarithmic, h("span", {}, "Logarithmic rates")))), plot.element);
}

function points(decision) {
  const rates = ratesOf(decision);
  const row = (point) =>
    h("tr", {}, h("th", { scope: "row" }, point.name, h("small", {}, pointWords(point.name))), h("td", { class: "number" }, far(thresholdOf(point))), rates.map(([name]) => cell(point, name)));
  return table(["Point", "Threshold", ...rates.map(([, words]) => words)], decision.points.map(row));
}

/** A rate, and its interval below it. */
function cell(point, name) {
  return h("td", { class: "number" }, percent(point[name]), h("small", {}, `${percent(point[`${name}_low`])} to ${percent(point[`${name}_high`])}`));
}

/** The rates of a decision; where calibration met impostors, false matches of either kind by itself. */
function ratesOf({ skilled }) {
  const matches = skilled ? [["fmr_random", "FMR, random"], ["fmr_skilled", "FMR, skilled"]] : [["fmr", "FMR"]];
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
    ["FPIR that can be asked for", fpirs.length ? `${percent(Math.min(...fpirs))} to ${percent(Math.max(...fpirs))}` : "none: too few identities"],
  ]);
}

const LIMITS = [
  ["body", null, "A request", (bytes) => `${(bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} MB`],
  ["items", null, "Items at once", (count) => count.toLocaleString("en")],
  ["pixels", ["image"], "An image", (count) => `${(count / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} megapixels`],
  ["seconds", ["audio"], "A recording", (seconds) => `${seconds.toLocaleString("en")} s`],
  ["characters", ["text"], "A text", (count) => `${count.toLocaleString("en")} characters`],
  ["points", ["series", "vector"], "A series or a vector", (count) => `${count.toLocaleString("en")} numbers`],
];

/** What one request may bring, as far as it concerns items of these kinds. */
function limits({ limits: found = {}, fields }) {
  const concerns = (kinds) => !kinds || fields.some(({ kind }) => kinds.includes(kind));
  return pairs(LIMITS.filter(([name, kinds]) => found[name] && concerns(kinds)).map(([name, , words, say]) => [words, `up to ${say(found[name])}`]));
}
