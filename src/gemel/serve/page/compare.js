// The view that compares: two items, or an item and a claimed identity, and the verdict on them.

import { ask } from "./api.js";
import { acting, alarm, h, labelled, put, unique } from "./dom.js";
import { itemInput } from "./inputs.js";
import { verdictView } from "./verdict.js";
import { one } from "./words.js";

const OFFERED = 20;

/** Build the view in its panel. */
export function compare(panel, app) {
  const { model } = app;
  const verdict = verdictView(model);
  const trouble = h("div", {});
  const first = itemInput(model, { label: "First", side: 0 });
  const second = secondSide(model);
  const go = h("button", { class: "primary" }, "Compare");
  const head = h("div", { class: "heading" }, h("h3", {}, "First"));
  const stale = () => (verdict.clear(), put(trouble));
  first.changed = second.changed = stale;

  async function submit(event) {
    event.preventDefault();
    await acting(go, panel, trouble, async () => {
      verdict.clear();
      const a = await first.value();
      const b = await second.value();
      if (a === undefined || b === undefined) {
        put(trouble, alarm(new Error(a === undefined ? "Give the first item." : second.missing())));
        return;
      }
      const answer = await ask("/v1/verify", { body: { a, ...b } });
      verdict.show({ ...answer, claim: "identity" in b });
      verdict.element.scrollIntoView({ block: "nearest" });
    });
  }

  const uncalibrated = model.decisions.length === 0;
  put(
    panel,
    h("h2", {}, "Are these two the same?"),
    h(
      "p",
      { class: "lead" },
      model.branches?.length
        ? `Give ${model.branches.join(" or ")} on either side.`
        : `Give ${one(model.modality)} on either side, or an identity that the first one claims to be.`,
    ),
    uncalibrated &&
      h(
        "p",
        { class: "warning" },
        "This model is not calibrated for verdicts: it knows distances, but not which of them mean the same.",
      ),
    h(
      "form",
      { submit },
      h(
        "div",
        { class: "pair" },
        h("div", { class: "card titled" }, head, first.element),
        h("div", { class: "card titled" }, second.head, second.element),
      ),
      h("div", { class: "actions" }, go),
      trouble,
    ),
    verdict.element,
  );
  return {};
}

/** The other side: an item, or an identity that is claimed. Its value is part of the request. */
function secondSide(model) {
  const item = itemInput(model, { label: "Second", side: 1 });
  const claim = identityInput();
  const place = h("div", { class: "place" }, item.element);
  const name = unique("second");
  const radio = (label, checked) => {
    const input = h("input", { type: "radio", name, checked, change: () => turn(label) });
    return h("label", {}, input, h("span", {}, label));
  };
  const turn = (label) => {
    side.claims = label === CLAIM;
    put(place, side.claims ? claim.element : item.element);
    side.changed();
  };
  const claimable = !model.branches?.length && model.enrolled !== null;
  const side = {
    claims: false,
    changed: () => {},
    head: h(
      "div",
      { class: "heading" },
      h("h3", {}, "Second"),
      claimable &&
        h(
          "div",
          { class: "switch", role: "radiogroup", "aria-label": "Compare with" },
          radio(ITEM, true),
          radio(CLAIM, false),
        ),
    ),
    element: place,
    missing: () => (side.claims ? "Name the identity that is claimed." : "Give the second item."),
    async value() {
      const given = side.claims ? claim.value() : await item.value();
      return given === undefined ? undefined : { [side.claims ? "identity" : "b"]: given };
    },
  };
  item.changed = claim.changed = () => side.changed();
  return side;
}

const [ITEM, CLAIM] = ["another item", "a claimed identity"];

/** A name, with those enrolled offered while it is typed. */
function identityInput() {
  const offers = h("datalist", { id: unique("offers") });
  const field = h("input", { type: "text", list: offers.id, autocomplete: "off", spellcheck: "false" });
  const claim = {
    changed: () => {},
    element: h("div", {}, labelled("Claimed identity", field, "One that is enrolled."), offers),
    value: () => field.value.trim() || undefined,
  };
  let asked = 0;
  const offer = async () => {
    const mine = (asked += 1);
    const found = await ask(`/v1/identities?limit=${OFFERED}&q=${encodeURIComponent(field.value.trim())}`).catch(
      () => null,
    );
    if (found && mine === asked)
      put(
        offers,
        found.identities.map(({ identity }) => h("option", { value: identity })),
      );
  };
  field.addEventListener("focus", offer);
  field.addEventListener("input", () => (offer(), claim.changed()));
  return claim;
}
