// Elements, built without markup: what is shown is always text, so nothing that anybody enrolled can become code.
// Knows nothing of the API and of views.

const SVG = "http://www.w3.org/2000/svg";
let count = 0;

/** An id that no other element of this page has. */
export const unique = (stem) => `${stem}-${(count += 1)}`;

/** An HTML element. A function as attribute value listens to the event of that name; null and false are left out. */
export function h(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same for SVG. */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false)
      element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...present(children));
  return element;
}

const present = (children) =>
  children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);

/** Put these in place of whatever the element holds. */
export function put(element, ...children) {
  element.replaceChildren(...present(children));
  return element;
}

/** A button that acts; `attributes` as in `h`. */
export function button(label, act, attributes = {}) {
  return h("button", { type: "button", click: act, ...attributes }, label);
}

/** A labelled control: the label, the control, and a note that screen readers read with it. */
export function labelled(label, control, note) {
  control.id ||= unique("control");
  const said = note && h("small", { class: "note", id: `${control.id}-note` }, note);
  if (said) control.setAttribute("aria-describedby", said.id);
  return h("div", { class: "labelled" }, h("label", { for: control.id }, label), control, said);
}

/** A choice among [value, words] pairs. */
export function choice(options, attributes = {}) {
  return h(
    "select",
    attributes,
    options.map(([value, words]) => h("option", { value }, words)),
  );
}

/** Facts by name; those without a value are left out. */
export const pairs = (entries) =>
  h(
    "dl",
    {},
    entries
      .filter(([, value]) => value !== null && value !== undefined && value !== "")
      .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );

/** A table in a box of its own, which scrolls where it is too wide. */
export function table(heads, rows) {
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "group", "aria-label": "Table" },
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          heads.map((words, i) => h("th", { scope: "col", class: i ? "number" : null }, words)),
        ),
      ),
      h("tbody", {}, rows),
    ),
  );
}

/** What went wrong, where it was caused: a sentence, and the items concerned where some are named. */
export function alarm(problem) {
  const message = problem.message || String(problem);
  const items = (problem.items ?? []).filter(({ reason }) => !message.includes(reason));
  return h(
    "div",
    { class: "alarm", role: "alert" },
    h("p", {}, message),
    items.length > 0 &&
      h(
        "ul",
        {},
        items.map((item) => h("li", {}, [item.name || item.field, item.reason].filter(Boolean).join(": "))),
      ),
  );
}

/**
 * Run an action: its button waits, its region says that it is busy, and what goes wrong is shown in `place`.
 * An action that was overtaken by a later one (AbortError) is silent.
 */
export async function acting(trigger, region, place, action) {
  put(place);
  region.setAttribute("aria-busy", "true");
  const was = trigger.disabled;
  trigger.disabled = true;
  trigger.classList.add("busy");
  try {
    return await action();
  } catch (problem) {
    if (problem.name !== "AbortError") put(place, alarm(problem));
    return undefined;
  } finally {
    trigger.disabled = was;
    trigger.classList.remove("busy");
    region.removeAttribute("aria-busy");
  }
}

/** Ask before something that cannot be undone; resolves to whether it was confirmed. */
export function confirmed(question, consequence, verb) {
  const title = unique("question");
  const dialog = h(
    "dialog",
    { "aria-labelledby": title },
    h("h2", { id: title }, question),
    h("p", {}, consequence),
    h(
      "div",
      { class: "actions" },
      button("Cancel", () => dialog.close("")),
      button(verb, () => dialog.close("yes"), { class: "grave" }),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}
