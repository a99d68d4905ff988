// The view of who is enrolled: a list with a filter, enrolment, and one identity with its items, to check a claim
// against or to forget.

import { ask } from "./api.js";
import { acting, alarm, button, confirmed, h, labelled, put } from "./dom.js";
import { enrolment } from "./enrol.js";
import { itemInput } from "./inputs.js";
import { gated } from "./key.js";
import { enrolled } from "./show.js";
import { verdictView } from "./verdict.js";
import { many } from "./words.js";

const PAGE = 100;
const PAUSE = 200;

/** Build the view in its panel. route(identity) opens one; without one, enrolment. */
export function identities(panel, app) {
  const { model } = app;
  const side = h("div", { class: "side" });
  const told = h("p", { class: "done", role: "status" });
  const list = listing((identity) => identity === shown);
  const form = enrolment(model, () => (list.load(), app.refresh()));
  let shown = null;

  function changed(words) {
    put(told, words);
    list.load();
    app.refresh();
  }

  function route(identity) {
    shown = identity || null;
    list.mark();
    if (shown) {
      put(side, detail(shown, { model, changed, more: () => (app.go("identities"), form.name(identity)) }));
      side.querySelector("h3").focus();
    } else if (side.firstChild !== form.element) put(side, form.element);
    list.load();
  }

  put(
    panel,
    h("h2", {}, "Who is known"),
    h("p", { class: "lead" }, "All that is enrolled. One example is enough to be recognised from then on."),
    told,
    h("div", { class: "split" }, list.element, side),
  );
  return { route, leave: () => put(told) };
}

/** The list, a page at a time: {element, load(), mark()}. */
function listing(isShown) {
  const filter = h("input", { type: "search", autocomplete: "off", spellcheck: "false" });
  const rows = h("ul", { class: "names" });
  const [trouble, count] = [h("div", {}), h("p", { class: "note", role: "status" })];
  const begin = h("a", { class: "button", href: "#identities" }, "Enrol");
  const more = button("Show more", () => add(next), { class: "plain", hidden: true });
  let [next, asked, timer] = [null, null, null];

  async function add(after) {
    asked?.abort();
    asked = new AbortController();
    const wanted = new URLSearchParams({
      limit: PAGE,
      ...(after && { after }),
      ...(filter.value && { q: filter.value }),
    });
    try {
      const found = await ask(`/v1/identities?${wanted}`, { signal: asked.signal });
      put(trouble);
      rows[after ? "append" : "replaceChildren"](...found.identities.map(row));
      next = found.next;
      more.hidden = !next;
      put(count, counted(rows.children.length, found.total, filter.value));
      mark();
    } catch (problem) {
      if (problem.name !== "AbortError") put(trouble, alarm(problem));
    }
  }

  const mark = () => {
    for (const link of [begin, ...rows.querySelectorAll("a")]) {
      if (isShown(link.dataset.identity ?? null)) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  };
  filter.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(add, PAUSE);
  });
  return {
    load: () => add(),
    mark,
    element: h(
      "div",
      { class: "listing card" },
      begin,
      labelled("Filter", filter),
      count,
      trouble,
      h("div", { class: "scroll" }, rows),
      more,
    ),
  };
}

function row({ identity, items }) {
  return h(
    "li",
    {},
    h(
      "a",
      { href: `#identities/${encodeURIComponent(identity)}`, "data-identity": identity },
      h("span", {}, identity),
      h("small", {}, many(items, "item")),
    ),
  );
}

function counted(listed, total, filter) {
  const whole = filter ? `${many(total, "identity")} with “${filter}”` : many(total, "identity");
  if (total === 0) return filter ? `None with “${filter}”.` : "Nothing is enrolled yet.";
  return listed < total ? `${listed.toLocaleString("en")} of ${whole}` : whole;
}

/** One identity: its items, a claim to check, and forgetting. */
function detail(identity, { model, changed, more }) {
  const [items, trouble] = [h("ol", { class: "hits" }), h("div", {})];
  const count = h("p", { class: "note" });
  const path = `/v1/identities/${encodeURIComponent(identity)}`;
  const place = h("section", { "aria-label": identity });

  async function load() {
    try {
      const found = await ask(path);
      put(count, many(found.items.length, "item"));
      put(items, found.items.map(cell));
    } catch (problem) {
      put(place, h("h3", {}, identity), alarm(problem));
    }
  }

  function cell(item) {
    const forget = button("Forget", () => forgetItem(item, forget), {
      class: "plain",
      "aria-label": `Forget ${item.name || "this item"}`,
    });
    const facts = Object.entries(item.metadata ?? {}).map(
      ([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`,
    );
    return h(
      "li",
      {},
      enrolled(item, model.modality),
      item.name && h("small", {}, item.name),
      facts.length > 0 && h("small", {}, facts.join(" · ")),
      gated(forget, model, "admin")[0],
    );
  }

  async function forgetItem(item, trigger) {
    if (
      !(await confirmed(
        `Forget this item of ${identity}?`,
        "It will no longer be found or compared with. This cannot be undone.",
        "Forget it",
      ))
    )
      return;
    const found = await acting(trigger, place, trouble, () =>
      ask(`/v1/items/${encodeURIComponent(item.id)}`, { method: "DELETE" }),
    );
    if (!found) return;
    changed(`Forgotten: one item of ${identity}.`);
    if (items.children.length > 1) load();
    else location.hash = "#identities";
  }

  const forgetAll = button(
    "Forget this identity",
    async () => {
      if (
        !(await confirmed(`Forget ${identity}?`, "All its items and their copies go. This cannot be undone.", "Forget"))
      )
        return;
      const found = await acting(forgetAll, place, trouble, () => ask(path, { method: "DELETE" }));
      if (!found) return;
      location.hash = "#identities";
      changed(`Forgotten: ${identity}, with ${many(found.removed, "item")}.`);
    },
    { class: "grave" },
  );

  load();
  return put(
    place,
    h("h3", { class: "name", tabindex: -1 }, identity),
    count,
    h("div", { class: "actions" }, button("Enrol more items", more), ...gated(forgetAll, model, "admin")),
    trouble,
    items,
    !model.branches?.length && claim(identity, model),
  );
}

/** Whether another item shows this identity. */
function claim(identity, model) {
  const verdict = verdictView(model);
  const input = itemInput(model, { label: "An item" });
  const [go, trouble] = [h("button", { class: "primary" }, "Check"), h("div", {})];
  input.changed = () => (verdict.clear(), put(trouble));
  const submit = async (event) => {
    event.preventDefault();
    await acting(go, form, trouble, async () => {
      const a = await input.value();
      if (a === undefined) return put(trouble, alarm(new Error("Give an item to check.")));
      return verdict.show({ ...(await ask("/v1/verify", { body: { a, identity } })), claim: true });
    });
  };
  const form = h(
    "form",
    { class: "card claim", submit },
    h("h4", {}, "Check a claim: does another item show the same?"),
    input.element,
    h("div", { class: "actions" }, go),
    trouble,
  );
  return [form, verdict.element];
}
