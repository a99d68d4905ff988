// How an item is given: dropped, pasted, chosen or typed, by the kind of each of its fields.
// Every input: {element, value() → Promise of the item or undefined, take(file), clear(), changed}. Asks no server.

import { button, choice, h, labelled, put, unique } from "./dom.js";
import { packed, pictured, numbers, seriesOf, vectorOf } from "./files.js";
import { shown } from "./show.js";
import { one } from "./words.js";

const FILES = { image: "image/*,.tif,.tiff,.bmp,.webp", audio: "audio/*,.wav,.flac,.ogg,.mp3", series: ".csv,.tsv,.txt,.npy,text/csv", text: ".txt,text/plain" };
const TYPED = new Set(["text", "series", "vector"]);
const takers = new Map();

/** An item of a model: one field, one of two branches, or a record of several fields. `side` chooses the branch. */
export function itemInput({ fields, branches }, { label, side = 0, more }) {
  if (branches?.length) return branchInput(fields, branches, label, side);
  if (fields.length === 1 && !fields[0].field) return fieldInput(fields[0], label, more);
  return recordInput(fields, label);
}

/** Bring an item that was pasted anywhere to an input: the one in focus, else the first empty one. Ctrl-Enter sends a form. */
export function listen() {
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.target.form?.requestSubmit();
  });
  for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    for (const element of takers.keys()) if (!element.isConnected) takers.delete(element);
    const visible = [...takers.keys()].filter((element) => element.checkVisibility());
    const place = visible.find((element) => element.contains(document.activeElement)) ?? visible.find((element) => takers.get(element).empty()) ?? visible[0];
    if (files.length === 0 || !place) return;
    event.preventDefault();
    takers.get(place).take(files);
  });
}

function fieldInput({ kind, dim, channels }, label, more) {
  let file = null;
  const input = { changed: () => {} };
  const typed = !TYPED.has(kind) ? null : h("textarea", { rows: kind === "text" ? 4 : 3, id: unique("typed"), spellcheck: kind === "text" ? "true" : "false", placeholder: HINTS[kind] ?? null });
  const picture = h("div", { class: "shown" });
  const chosen = !FILES[kind] ? null : h("input", { type: "file", class: "unseen", accept: FILES[kind], multiple: Boolean(more), "aria-label": `${label}: choose a file` });
  const asking = h(
    "div",
    { class: "asking" },
    typed && labelled(label, typed, notes(kind, { dim, channels })),
    chosen && h("div", { class: "choose" }, h("label", { class: "button" }, chosen, h("span", {}, `Choose ${kind === "text" || kind === "series" ? "a file" : one(kind)}`)), h("span", { class: "note" }, "or drop it here", !typed && ", or paste it")),
  );
  const drop = h("div", { class: `drop ${kind}`, role: "group", "aria-label": label }, !typed && h("p", { class: "label", "aria-hidden": "true" }, label), asking, picture);

  async function take(files) {
    const [first, ...others] = files;
    if (kind === "text") typed.value = await first.text();
    else await showFile(first);
    if (others.length && more) more(others);
    input.changed();
  }

  async function showFile(given) {
    file = given;
    asking.hidden = true;
    const remove = button("Remove", () => (input.clear(), (chosen ?? typed).focus()), { class: "plain", "aria-label": `Remove ${given.name}` });
    put(picture, h("div", { class: "named" }, h("span", {}, given.name), remove));
    const data = kind === "series" ? await pictured(given).catch(() => null) : given;
    if (file === given && data) picture.prepend(shown({ kind, data, name: given.name }));
  }

  input.element = drop;
  input.empty = () => !file && !typed?.value?.trim();
  input.take = (files) => (FILES[kind] ? take([files].flat()) : undefined);
  input.clear = () => {
    file = null;
    asking.hidden = false;
    put(picture);
    if (typed) typed.value = "";
    if (chosen) chosen.value = "";
    input.changed();
  };
  input.value = async () => {
    if (file) return packed(file);
    if (input.empty()) return undefined;
    return { text: () => typed.value, series: () => seriesOf(typed.value), vector: () => vectorOf(typed.value, dim) }[kind]();
  };
  chosen?.addEventListener("change", () => chosen.files.length && take([...chosen.files]));
  typed?.addEventListener("input", () => {
    const rows = kind === "series" && numbers(typed.value) && seriesOrNull(typed.value);
    put(picture, rows?.length > 1 && shown({ kind, data: rows }));
    input.changed();
  });
  if (FILES[kind]) droppable(drop, input);
  return input;
}

const HINTS = { series: "0.1, 0.4, 0.9, …", vector: "0.12, -0.5, 0.33, …" };

function notes(kind, { dim, channels }) {
  if (kind === "series") return `Numbers, a step a line${channels > 1 ? `, its ${channels} channels with commas between` : ", or all in one line"}.`;
  if (kind === "vector") return dim ? `${dim} numbers with commas or blanks between.` : "Numbers with commas or blanks between.";
  return "";
}

function seriesOrNull(text) {
  try {
    return seriesOf(text);
  } catch {
    return null;
  }
}

function droppable(drop, input) {
  const over = (event) => (event.preventDefault(), drop.classList.add("over"));
  const leave = () => drop.classList.remove("over");
  drop.addEventListener("dragenter", over);
  drop.addEventListener("dragover", over);
  drop.addEventListener("dragleave", (event) => drop.contains(event.relatedTarget) || leave());
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    leave();
    const files = [...event.dataTransfer.files];
    if (files.length) input.take(files);
  });
  takers.set(drop, input);
}

/** A record: an input for each field; those left empty are left out. */
function recordInput(fields, label) {
  const parts = fields.map((field) => [field.field, fieldInput(field, field.field)]);
  const record = {
    changed: () => {},
    element: h("fieldset", { class: "record" }, h("legend", {}, label), parts.map(([, input]) => input.element)),
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
  const branch = { changed: () => {}, element: h("fieldset", { class: "record" }, h("legend", {}, label), labelled("What it is", select), place) };
  let input;
  const build = () => {
    input = fieldInput(fields.find((field) => field.field === select.value), select.value);
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
    const input = itemInput(model, { label: `${label} ${inputs.length + 1}`, more: (files) => files.forEach((file) => add().take(file)) });
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
    element: h("div", {}, list, button("Another item", () => add().element.querySelector("textarea, input")?.focus(), { class: "plain" })),
    values: async () => (await Promise.all(inputs.map((input) => input.value()))).filter((value) => value !== undefined),
    clear,
  };
}
