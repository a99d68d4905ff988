// The view of the model: what it is, what was measured, and what the server takes; its decision is in threshold.js.

import { h, pairs, put, table } from "./dom.js";
import { calibrated } from "./threshold.js";
import { far, many, measureWords, noun, percent } from "./words.js";

/** Build the view in its panel. */
export function model(panel, app) {
  const known = app.model;
  put(
    panel,
    h("h2", {}, "What this model is, and how often it errs"),
    ...facts(known),
    ...measures(known),
    ...(known.decisions.length
      ? calibrated(known)
      : [
          h(
            "p",
            { class: "warning" },
            "This model is not calibrated for verdicts: it knows how far apart two items are, but not up to which distance they are the same, nor how often that would be wrong. To calibrate it: gemel calibrate MODEL DATA",
          ),
        ]),
    h("section", {}, h("h3", {}, "What the server takes"), limits(known)),
  );
  return {};
}

function facts(known) {
  return [
    pairs([
      ["Compares", known.compares],
      ["By", `${known.distance} distance of ${known.dim.toLocaleString("en")} dimensions`],
      [
        "Fields",
        known.fields
          .filter(({ field }) => field)
          .map(({ field, kind }) => `${field} (${noun(kind)})`)
          .join(", "),
      ],
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
  const row = ({ name, value, low, high }) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, measureWords(name)),
      h("td", { class: "number" }, measured(name, value)),
      h("td", { class: "number" }, Number.isFinite(low) && `${measured(name, low)} to ${measured(name, high)}`),
    );
  const intervals = found.some(({ low }) => Number.isFinite(low)) ? "95% interval" : "";
  return [h("section", {}, h("h3", {}, "Measures"), table(["Measure", "Value", intervals], found.map(row)))];
}

/** A correlation and a cost in bits are numbers, and the rest are rates. */
const measured = (name, value) =>
  /cllr|pearson|spearman/i.test(name) || value > 1 || value < 0 ? far(value) : percent(value);

const LIMITS = [
  ["body", null, "A request", (bytes) => `${(bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} MB`],
  ["items", null, "Items at once", (count) => count.toLocaleString("en")],
  [
    "pixels",
    ["image"],
    "An image",
    (count) => `${(count / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} megapixels`,
  ],
  ["seconds", ["audio"], "A recording", (seconds) => `${seconds.toLocaleString("en")} s`],
  ["characters", ["text"], "A text", (count) => `${count.toLocaleString("en")} characters`],
  ["points", ["series", "vector"], "A series or a vector", (count) => `${count.toLocaleString("en")} numbers`],
];

/** What one request may bring, as far as it concerns items of these kinds. */
function limits({ limits: found = {}, fields }) {
  const concerns = (kinds) => !kinds || fields.some(({ kind }) => kinds.includes(kind));
  return pairs(
    LIMITS.filter(([name, kinds]) => found[name] && concerns(kinds)).map(([name, , words, say]) => [
      words,
      `up to ${say(found[name])}`,
    ]),
  );
}
