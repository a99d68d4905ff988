// A verdict with everything it rests on: words, gauge, histogram, and the prior, operating point and certainty that can
// be changed. Recomputed here from the evidence and the knots: nothing is asked again. Knows no server.

import { distances, gauge } from "./charts.js";
import { judged, logit, sigmoid } from "./decision.js";
import { choice, h, labelled, put, svg } from "./dom.js";
import { because, percent, pointWords, rated, VERDICTS } from "./words.js";

const REACH = 7;
const CERTAINTIES = [0, 0.8, 0.9, 0.95, 0.99, 0.999];

/** A place for verdicts. show({distance, llr, method, claim?}) gives one; clear() takes it away. */
export function verdictView(model) {
  const section = h("section", { class: "verdict", hidden: true, "aria-label": "Verdict" });
  const spoken = h("p", { class: "unseen", role: "status" });
  return {
    element: h("div", {}, spoken, section),
    show: (answer) => {
      const decision = model.decisions[answer.method ?? 0];
      section.hidden = false;
      put(
        section,
        parts(decision, answer, model.distance, (words) => (spoken.textContent = words)),
      );
    },
    clear: () => {
      section.hidden = true;
      spoken.textContent = "";
      put(section);
    },
  };
}

/** What is shown; `speak` tells it in a sentence to those who do not see it, whenever it changes. */
function parts(decision, answer, metric, speak) {
  const head = h("div", { class: "head" });
  const cost = h("p", { class: "cost" });
  const notes = caveats(decision, answer);
  const [meter, plot] = [gauge(), distances(decision, metric)];
  const controls = asked(decision, () => redraw());
  const redraw = () => {
    const verdict = judged(decision, answer, controls.value());
    put(
      head,
      mark(verdict.same),
      h("div", {}, h("h3", { class: kindOf(verdict.same) }, VERDICTS.get(verdict.same)), h("p", {}, because(verdict))),
    );
    put(cost, costWords(verdict));
    meter.update(verdict);
    plot.update(verdict);
    speak(`${VERDICTS.get(verdict.same)}. Probability ${percent(verdict.probability)}. ${because(verdict)}`);
  };
  redraw();
  return [
    head,
    h(
      "div",
      { class: "plots" },
      h("div", {}, h("h4", {}, "Probability of the same"), meter.element, cost, notes),
      h("div", {}, h("h4", {}, "Distance"), plot.element),
    ),
    controls.element,
  ];
}

/** Two rings, as in the name: one where they are the same, apart where not, touching where that is undecided. */
export function mark(same) {
  const apart = same === null ? 18 : same ? 9 : 27;
  const width = 28 + apart;
  return svg(
    "svg",
    { class: `mark ${kindOf(same)}`, viewBox: `0 0 ${width} 28`, width: 2 * width, height: 56, "aria-hidden": "true" },
    svg("circle", { cx: 14, cy: 14, r: 12 }),
    svg("circle", { cx: 14 + apart, cy: 14, r: 12, class: "second" }),
  );
}

const kindOf = (same) => (same === null ? "undecided" : same ? "same" : "different");

function costWords({ fmr, fnmr }) {
  return [
    "At this threshold ",
    h("b", {}, rated(fmr)),
    " of different pairs are accepted (FMR), and ",
    h("b", {}, rated(fnmr)),
    " of same pairs are rejected (FNMR).",
  ];
}

function caveats(decision, answer) {
  const said = [];
  if (answer.claim && decision.references === 1) {
    said.push(
      "Against an identity the nearest of its items counts: the more it has, the more often a stranger is accepted than the FMR says.",
    );
  }
  if (decision.references > 1)
    said.push(`Compared with ${decision.sides} of the identity, and judged by the decision for so many.`);
  return said.map((words) => h("p", { class: "note" }, words));
}

/** What may be changed: {element, value() → {prior, point, certainty}}. */
function asked(decision, changed) {
  const start = logit(decision.prior);
  const prior = h("input", { type: "range", min: -REACH, max: REACH, step: 0.01, value: start, class: "slider" });
  const output = h("output", { "aria-live": "off" });
  const point = choice(decision.points.map(({ name }) => [name, pointWords(name)]));
  const certainty = choice(CERTAINTIES.map((value) => [value, value ? `less sure than ${percent(value)}` : "never"]));
  const value = () => ({ prior: sigmoid(Number(prior.value)), point: point.value, certainty: Number(certainty.value) });
  const say = () => {
    const words = Number(prior.value) === start ? percent(decision.prior) : percent(value().prior);
    output.textContent = words;
    prior.setAttribute("aria-valuetext", words);
  };
  for (const control of [prior, point, certainty]) control.addEventListener("input", () => (say(), changed()));
  say();
  const slider = labelled(
    "Prior",
    prior,
    "How probable the same was before looking. Evidence moves it to the probability above.",
  );
  slider.querySelector("label").append(" ", output);
  return {
    value,
    element: h(
      "div",
      { class: "controls" },
      slider,
      labelled("Operating point", point, "Which threshold decides. FMR: share of different pairs accepted."),
      labelled("Undecided when", certainty, "Then neither answer is given."),
    ),
  };
}
