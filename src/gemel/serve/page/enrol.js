// Enrolment: a name, its items, and whether copies of them are kept. Many items go in several requests, each as large
// as the server takes.

import { ask, Problem, size } from "./api.js";
import { acting, alarm, h, labelled, put } from "./dom.js";
import { itemInputs } from "./inputs.js";
import { gated } from "./key.js";
import { many, noun } from "./words.js";

const ROOM = 0.9;
const ALWAYS_KEPT = new Set(["text", "vector"]);

/** The form: {element, name(identity) fills in the name}. `done(identity)` is called when something was enrolled. */
export function enrolment(model, done) {
  const name = h("input", { type: "text", required: true, maxlength: 200, autocomplete: "off", spellcheck: "false" });
  const items = itemInputs(
    model,
    noun(model.modality).replace(/^./, (letter) => letter.toUpperCase()),
  );
  const keep = h("input", { type: "checkbox", checked: true });
  const go = h("button", { class: "primary" }, "Enrol");
  const [trouble, told] = [h("div", {}), h("p", { class: "done", role: "status" })];

  async function submit(event) {
    event.preventDefault();
    put(told);
    const identity = name.value.trim();
    const total = { added: 0, already: 0, bad: [] };
    const finished = await acting(go, form, trouble, async () => {
      const given = await items.values();
      if (given.length === 0) throw new Problem("Give at least one item to enrol.");
      await sent({ identity, keep: keep.checked }, given, model.limits, total, (part) => put(told, part));
      return true;
    });
    const { added, already, bad } = total;
    put(told, added + already > 0 && summary(identity, total));
    if (bad.length)
      put(trouble, alarm(new Problem(`${many(bad.length, "item")} could not be enrolled:`, { items: bad })));
    else if (finished) items.clear();
    if (added) done(identity);
  }

  const form = h(
    "form",
    { class: "enrolment", submit },
    h("h3", {}, "Enrol"),
    labelled("Name of the identity", name, "One example is enough; several are better."),
    items.element,
    ALWAYS_KEPT.has(model.modality)
      ? h("p", { class: "note" }, "Copies are kept, so that they can be shown here.")
      : h(
          "div",
          { class: "check" },
          h("label", {}, keep, h("span", {}, "Keep copies, so that they can be shown here")),
          h("small", { class: "note" }, "Otherwise only embeddings are kept: numbers that cannot be looked at."),
        ),
    !model.durable &&
      h("p", { class: "note" }, "This gallery is in memory: what is enrolled is gone when the server stops."),
    h("div", { class: "actions" }, ...gated(go, model, "write")),
    trouble,
    told,
  );
  return {
    element: form,
    name: (identity) => {
      name.value = identity;
      name.focus();
    },
  };
}

/** Enrol items in as many requests as the limits ask for; what became of them is counted together in `total`. */
async function sent(request, items, limits, total, tell) {
  const batches = batched(items, limits);
  let before = 0;
  for (const [place, batch] of batches.entries()) {
    if (batches.length > 1) tell(`Enrolling: part ${place + 1} of ${batches.length} …`);
    const found = await enrolled({ ...request, items: batch });
    const named = ({ row, reason }) => ({ reason, name: batch[row]?.name || `item ${before + row + 1}` });
    total.added += found.added;
    total.already += found.already;
    total.bad.push(...found.bad.map(named));
    before += batch.length;
  }
}

/** What became of the items of one request; where not one of them can be used, the others are still sent. */
async function enrolled(body) {
  try {
    return await ask("/v1/identities", { body });
  } catch (problem) {
    if (problem.status !== 422 || problem.items.length === 0) throw problem;
    return { added: 0, already: 0, bad: problem.items };
  }
}

/** Items in runs that a request has room for. */
export function batched(items, { body = Infinity, items: most = Infinity } = {}) {
  const batches = [];
  let left = 0;
  for (const item of items) {
    const bytes = size(item);
    if (batches.length === 0 || bytes > left || batches.at(-1).length >= most) {
      batches.push([]);
      left = ROOM * body;
    }
    batches.at(-1).push(item);
    left -= bytes;
  }
  return batches;
}

function summary(identity, { added, already }) {
  const known = already ? ` ${many(already, "item")} ${already === 1 ? "was" : "were"} known already.` : "";
  return `${added ? `Enrolled ${many(added, "item")} for ${identity}.` : `Nothing new for ${identity}.`}${known}`;
}
