// How an item is given: dropped, pasted, chosen or typed, by the kind of each of its fields.
// Every input: {element, value() → Promise of the item or undefined, empty(), clear(), changed}. Asks no server.

import { button, choice, h, labelled, put, unique } from "./dom.js";
import { droppable } from "./dropping.js";
import { packed, pictured, seriesOf, vectorOf } from "./files.js";
import { shown } from "./show.js";
import { one } from "./words.js";

const FILES = {
  image: "image/*,.tif,.tiff,.bmp,.webp",
  audio: "audio/*,.wav,.flac,.ogg,.mp3",
  series: ".csv,.tsv,.txt,.npy,text/csv",
  vector: ".csv,.tsv,.txt,.npy,text/csv",
  text: ".txt,text/plain",
};
/** From what is typed to an item, of the kinds that can be typed. */
const TYPED = { text: (text) => text, series: seriesOf, vector: vectorOf };
/** From a table of numbers to what is drawn, of the kinds that are numbers. */
const NUMBERS = { series: (rows) => rows, vector: (rows) => rows?.flat() };

/** An item of a model: one field, one of two branches, or a record of several fields. `side` chooses the branch. */
export function itemInput({ fields, branches }, { label, side = 0, more }) {
  if (branches?.length) return branchInput(fields, branches, label, side);
  if (fields.length === 1 && !fields[0].field) return fieldInput(fields[0], label, more);
  return recordInput(fields, label);
}

function fieldInput({ kind, dim, channels }, label, more) {
  let file = null;
  const input = { changed: () => {} };
  const typed = TYPED[kind] && textarea(kind);
  const chosen = h("input", {
    type: "file",
    class: "unseen",
    accept: FILES[kind],
    multiple: Boolean(more),
    "aria-label": `${label}: choose a file`,
  });
  const picture = h("div", { class: "shown" });
  const asking = h(
    "div",
    { class: "asking" },
    typed && labelled(label, typed, notes(kind, { dim, channels })),
    h(
      "div",
      { class: "choose" },
      h("label", { class: "button" }, chosen, h("span", {}, typed ? "Choose a file" : `Choose ${one(kind)}`)),
      h("span", { class: "note" }, typed ? "or drop it here" : "or drop it here, or paste it"),
    ),
  );
  const title = !typed && h("p", { class: "label", "aria-hidden": "true" }, label);
  const place = h("div", { class: `drop ${kind}`, role: "group", "aria-label": label }, title, asking, picture);

  async function showFile(given) {
    file = given;
    asking.hidden = true;
    const remove = button("Remove", () => (input.clear(), chosen.focus()), {
      class: "plain",
      "aria-label": `Remove ${given.name}`,
    });
    put(picture, h("div", { class: "named" }, h("span", {}, given.name), remove));
    const data = NUMBERS[kind] ? NUMBERS[kind](await pictured(given).catch(() => null)) : given;
    if (file === given && data) picture.prepend(shown({ kind, data, name: given.name }));
  }

  Object.assign(input, {
    element: place,
    empty: () => !file && !typed?.value.trim(),
    async take([first, ...others]) {
      if (others.length && more) more(others);
      if (kind === "text") input.type(await first.text());
      else await showFile(first);
      input.changed();
    },
    type:
      typed &&
      ((text) => {
        typed.value = text;
        typed.dispatchEvent(new Event("input"));
      }),
    clear() {
      file = null;
      asking.hidden = false;
      chosen.value = "";
      put(picture);
      if (typed) typed.value = "";
      input.changed();
    },
    async value() {
      if (file) return packed(file);
      return input.empty() ? undefined : TYPED[kind](typed.value, dim);
    },
  });
  chosen.addEventListener("change", () => chosen.files.length && input.take([...chosen.files]));
  typed?.addEventListener("input", () => {
    put(picture, kind === "series" && drawn(typed.value));
    input.changed();
  });
  droppable(place, input);
  return input;
}

const textarea = (kind) =>
  h("textarea", {
    rows: kind === "text" ? 4 : 3,
    id: unique("typed"),
    spellcheck: String(kind === "text"),
    placeholder: HINTS[kind],
  });

/** Typed numbers as a line, once they are a series of two steps. */
function drawn(text) {
  try {
    const rows = seriesOf(text);
    return rows.length > 1 && shown({ kind: "series", data: rows });
  } catch {
    return null;
  }
}

const HINTS = { series: "0.1, 0.4, 0.9, …", vector: "0.12, -0.5, 0.33, …" };

function notes(kind, { dim, channels }) {
  if (kind === "series")
    return `Numbers, a step a line${channels > 1 ? `, its ${channels} channels with commas between` : ", or all in one line"}.`;
  if (kind === "vector")
    return dim ? `${dim} numbers with commas or blanks between.` : "Numbers with commas or blanks between.";
  return "";
}

/** A record: an input for each field; those left empty are left out. */
function recordInput(fields, label) {
  const parts = fields.map((field) => [field.field, fieldInput(field, field.field)]);
  const record = {
    changed: () => {},
    element: h(
      "fieldset",
      { class: "record" },
      h("legend", {}, label),
      parts.map(([, input]) => input.element),
    ),
    empty: () => parts.every(([, input]) => input.empty()),
    clear: () => parts.forEach(([, input]) => input.clear()),
    async value() {
      const values = await Promise.all(parts.map(async ([name, input]) => [name, await input.value()]));
      const given = values.filter(([, value]) => value !== undefined);
      return given.length ? Object.fromEntries(given) : undefined;
    },
  };
  parts.forEach(([, input]) => (input.changed = () => record.changed()));
  return record;
}

/** An item of one branch of a cross-modal model: which field it is, and the field itself. */
function branchInput(fields, branches, label, side) {
  const select = choice(branches.map((name) => [name, name]));
  select.value = branches[side % branches.length];
  const place = h("div", {});
  const branch = {
    changed: () => {},
    element: h("fieldset", { class: "record" }, h("legend", {}, label), labelled("What it is", select), place),
  };
  let input;
  const build = () => {
    input = fieldInput(
      fields.find((field) => field.field === select.value),
      select.value,
    );
    input.changed = () => branch.changed();
    put(place, input.element);
    branch.changed();
  };
  select.addEventListener("change", build);
  build();
  branch.empty = () => input.empty();
  branch.clear = () => input.clear();
  branch.value = async () => {
    const value = await input.value();
    return value === undefined ? undefined : { [select.value]: value };
  };
  return branch;
}

/** Several items, for enrolment: more inputs as files arrive or as asked. values() → Promise of items. */
export function itemInputs(model, label) {
  const list = h("ol", { class: "inputs" });
  let inputs = [];
  function add() {
    const input = itemInput(model, {
      label: `${label} ${inputs.length + 1}`,
      more: (files) => files.forEach((file) => add().take([file])),
    });
    inputs.push(input);
    list.append(h("li", {}, input.element));
    return input;
  }
  const clear = () => {
    inputs = [];
    put(list);
    add();
  };
  clear();
  return {
    element: h(
      "div",
      {},
      list,
      button("Another item", () => add().element.querySelector("textarea, input")?.focus(), { class: "plain" }),
    ),
    values: async () =>
      (await Promise.all(inputs.map((input) => input.value()))).filter((value) => value !== undefined),
    clear,
  };
}
