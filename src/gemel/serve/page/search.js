// The view that asks who an item shows: the identity or none, and the nearest enrolled items.

import { ask } from "./api.js";
import { acting, alarm, choice, h, labelled, put } from "./dom.js";
import { itemInput } from "./inputs.js";
import { enrolled } from "./show.js";
import { mark } from "./verdict.js";
import { far, many, one, percent, pointWords } from "./words.js";

/** Build the view in its panel. */
export function search(panel, app) {
  const { model } = app;
  const query = itemInput(model, { label: "Query" });
  const count = h("input", {
    type: "number",
    min: 1,
    max: model.limits?.k ?? 100,
    value: 12,
    inputmode: "numeric",
    required: true,
  });
  const rates = fpirs(model);
  const rate = choice([["", "the more probable answer"], ...rates.map((fpir) => [fpir, pointWords(`fpir=${fpir}`)])]);
  const go = h("button", { class: "primary" }, "Search");
  const [trouble, who, hits] = [h("div", {}), h("div", {}), h("div", {})];
  const status = h("p", { class: "unseen", role: "status" });
  query.changed = () => put(trouble);

  async function submit(event) {
    event.preventDefault();
    await acting(go, panel, trouble, async () => {
      put(who);
      put(hits);
      status.textContent = "";
      const item = await query.value();
      if (item === undefined) return put(trouble, alarm(new Error("Give an item to search for.")));
      const [found, named] = await Promise.all([
        ask("/v1/search", { body: { item, k: Number(count.value) } }),
        nameless(model) ? null : identified(item, rate.value),
      ]);
      put(who, named ? answer(named) : h("p", { class: "warning" }, nameless(model)));
      put(hits, nearest(found.hits, model.modality));
      status.textContent = `${named && !named.problem ? said(named) : ""} ${many(found.hits.length, "near item")}.`;
      return undefined;
    });
  }

  put(
    panel,
    h("h2", {}, "Who or what is this?"),
    h(
      "p",
      { class: "lead" },
      `Give ${model.branches?.length ? model.branches.join(" or ") : one(model.modality)}: which enrolled identity it is, or none of them, and what is nearest to it.`,
    ),
    h(
      "form",
      { class: "asks", submit },
      h("div", { class: "card" }, query.element),
      h(
        "div",
        {},
        !nameless(model) &&
          labelled(
            "Named when",
            rate,
            rates.length
              ? "FPIR: share of strangers taken for an enrolled identity."
              : "No FPIR can be promised: that takes more calibration identities.",
          ),
        labelled("Nearest items to show", count),
        h("div", { class: "actions" }, go),
      ),
    ),
    trouble,
    who,
    hits,
    status,
  );
  return {};
}

/** False positive identification rates that can be asked for. */
function fpirs(model) {
  return model.decisions.find((decision) => decision.references === 1)?.open_set?.fpirs ?? [];
}

/** The identity, none, or the reason why that cannot be said: nearest items are of use without it. */
async function identified(item, fpir) {
  try {
    return await ask("/v1/identify", { body: { item, ...(fpir && { fpir: Number(fpir) }) } });
  } catch (problem) {
    if (problem.status !== 409) throw problem;
    return { problem };
  }
}

function said({ match, enrolled: count }) {
  if (count === 0) return "Nothing is enrolled yet.";
  return match ? `This is ${match.identity}.` : "Unknown.";
}

function answer({ match, enrolled: count, problem }) {
  if (problem) return alarm(problem);
  const why = match
    ? `Probability ${percent(match.probability)}. The distance ${far(match.distance)} is within the threshold ${far(match.threshold)} for one among ${count.toLocaleString("en")} (${pointWords(match.point)}).`
    : count === 0
      ? "Enrol something under Identities first."
      : `None of the ${many(count, "enrolled identity")} is near enough to be named.`;
  const name = match ? ["This is ", identityLink(match.identity)] : count === 0 ? "Nothing is enrolled yet" : "Unknown";
  return h(
    "section",
    { class: "verdict", "aria-label": "Who this is" },
    h(
      "div",
      { class: "head" },
      mark(match ? true : count === 0 ? null : false),
      h("div", {}, h("h3", { class: match ? "same" : "different" }, name), h("p", {}, why)),
    ),
  );
}

/** Why no identity can be named, whatever is asked; empty where one can. The nearest items are found all the same. */
function nameless({ branches, decisions }) {
  if (branches?.length)
    return `This model compares ${branches.join(" with ")}, and a gallery may hold either: no identity is named.`;
  return decisions.length ? "" : "This model is not calibrated for verdicts, so no identity can be named.";
}

function nearest(hits, kind) {
  if (hits.length === 0) return h("p", { class: "note" }, "Nothing is enrolled yet.");
  const cells = hits.map((hit, place) =>
    h(
      "li",
      {},
      enrolled(hit, kind),
      h("b", {}, identityLink(hit.identity)),
      h("small", {}, `${place + 1} · distance ${far(hit.distance)}`),
      h("small", {}, hit.name),
    ),
  );
  return h(
    "section",
    { class: "hits-of", "aria-label": "Nearest items" },
    h("h3", {}, "Nearest enrolled items"),
    h("ol", { class: "hits" }, cells),
  );
}

const identityLink = (identity) => h("a", { href: `#identities/${encodeURIComponent(identity)}` }, identity);
