// The page itself: it learns what the server serves, shows the four views as tabs that follow the address, and says
// what concerns all of them: a busy or silent server, who is signed in.

import { ask, bound, events } from "./api.js";
import { compare } from "./compare.js";
import { alarm, button, h, put } from "./dom.js";
import { listen } from "./dropping.js";
import { identities } from "./identities.js";
import { askForKeys, signedIn } from "./key.js";
import { model as modelView } from "./model.js";
import { search } from "./search.js";
import { many } from "./words.js";

const BUILD = { compare, search, identities, model: modelView };
const $ = (id) => document.getElementById(id);
const tabs = [...document.querySelectorAll('[role="tab"]')];

const app = {
  model: null,
  views: {},
  go: (name) => (location.hash = `#${name}`),
  /** Learn anew how much is enrolled, and what the key may do. */
  async refresh() {
    const found = await ask("/v1/model").catch(() => null);
    if (!found) return;
    Object.assign(app.model, { enrolled: found.enrolled, items: found.items, key: found.key });
    delete app.views.model;
    header();
  },
};

/** Begin: also after a key was given up. */
async function start() {
  Object.assign(app, { model: null, views: {} });
  put($("who"));
  for (const name of Object.keys(BUILD)) put($(`panel-${name}`));
  try {
    app.model = await ask("/v1/model");
  } catch (problem) {
    put($("start"), alarm(problem), button("Try again", start));
    return;
  }
  put($("start"));
  bound(app.model.limits?.body);
  header();
  route();
}

function header() {
  const { model } = app;
  document.title = `${model.name} · gemel`;
  put($("name"), model.name);
  const known = model.enrolled === null ? "" : ` · ${many(model.enrolled, "identity")} enrolled`;
  put($("facts"), `${model.compares} · ${model.distance} distance${known}`);
  put($("who"), signedIn(model, start));
}

/** Show the view that the address names: #compare, #search, #identities/ada, #model. */
function route() {
  const [name, ...rest] = location.hash.slice(1).split("/");
  const shown = name in BUILD ? name : "compare";
  for (const tab of tabs) {
    const selected = tab.id === `tab-${shown}`;
    tab.setAttribute("aria-selected", String(selected));
    tab.tabIndex = selected ? 0 : -1;
    $(tab.getAttribute("aria-controls")).hidden = !selected;
  }
  if (!app.model) return;
  for (const [other, view] of Object.entries(app.views)) if (other !== shown) view.leave?.();
  app.views[shown] ??= BUILD[shown]($(`panel-${shown}`), app);
  app.views[shown].route?.(decoded(rest.join("/")));
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Tabs as the ARIA practices have them: arrows, Home and End move, and moving selects. */
function keyboard(event) {
  const here = tabs.indexOf(event.target.closest('[role="tab"]'));
  const to = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (here < 0 || to === undefined) return;
  event.preventDefault();
  const tab = tabs[(to + tabs.length) % tabs.length];
  tab.focus();
  tab.click();
}

function notices() {
  const notice = $("notice");
  const say = (words, kind) => put(notice, words && h("p", { class: kind }, words));
  events.addEventListener("waiting", ({ detail }) =>
    say(`The server is busy. Trying again in ${detail.seconds} s (${detail.attempt} of ${detail.of}).`, "waiting"),
  );
  events.addEventListener("working", () => say(""));
  events.addEventListener("lost", () =>
    say("The server does not answer. This page looks for it every few seconds.", "lost"),
  );
  events.addEventListener("found", () => {
    say("The server answers again.", "found");
    if (!app.model) start();
  });
}

for (const tab of tabs) tab.addEventListener("click", () => app.go(tab.id.slice("tab-".length)));
$("tabs").addEventListener("keydown", keyboard);
addEventListener("hashchange", route);
events.addEventListener("key", () => app.model && app.refresh());
notices();
askForKeys();
listen();
start();
