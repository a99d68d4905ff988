// How an item looks, by its kind: a picture, a player, words, a line, numbers. For items that somebody has just chosen
// and for previews of enrolled ones, which are fetched when they come into view.

import { ask } from "./api.js";
import { series, wave } from "./charts.js";
import { h, put } from "./dom.js";
import { outline } from "./files.js";
import { noun } from "./words.js";

const NUMBERS = 6;

/** One field of an item: {kind, data, name}; data as in a preview, or a Blob. */
export function shown({ kind, data, name }) {
  const show = { image: picture, audio: sound, text: words, series: line, vector: coordinates }[kind];
  return show ? show(data, name || noun(kind)) : h("p", { class: "note" }, name || noun(kind));
}

function picture(data, name) {
  const source = data instanceof Blob ? URL.createObjectURL(data) : data;
  const image = h("img", { src: source, alt: name });
  const done = () => data instanceof Blob && URL.revokeObjectURL(source);
  image.addEventListener("load", done, { once: true });
  image.addEventListener(
    "error",
    () => (
      done(),
      image.replaceWith(h("p", { class: "note" }, "This browser cannot show it; the server may still read it."))
    ),
    { once: true },
  );
  return image;
}

function sound(data, name) {
  const blob = data instanceof Blob ? data : blobOf(data);
  const place = h(
    "div",
    { class: "sound" },
    h("audio", { controls: true, src: URL.createObjectURL(blob), "aria-label": name, preload: "metadata" }),
  );
  outline(blob).then((peaks) => peaks && place.prepend(wave(peaks)));
  return place;
}

function blobOf(url) {
  const [head, content] = url.split(",");
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type: /^data:([^;,]*)/.exec(head)?.[1] });
}

const words = (text) => h("p", { class: "words" }, text);

const line = (rows) => (rows?.length ? series(rows.map((row) => [row].flat())) : h("p", { class: "note" }, "a series"));

function coordinates(values) {
  const first = values.slice(0, NUMBERS).map((value) => Number(value).toPrecision(3));
  return h(
    "p",
    { class: "words numbers" },
    `${first.join(", ")}${values.length > NUMBERS ? ", …" : ""} (${values.length})`,
  );
}

const awaited = new WeakMap();
const watcher = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      watcher.unobserve(target);
      awaited.get(target)?.();
    }
  },
  { rootMargin: "200px" },
);

/** What an enrolled item, {id, name, kept}, looks like, where that was kept. `kind` says how much room it will take. */
export function enrolled({ id, name, kept }, kind) {
  const place = h("div", { class: `item ${kind}` });
  if (!kept) return put(place, h("p", { class: "blank" }, "not kept"));
  put(place, h("p", { class: "blank waiting" }, "…"));
  awaited.set(place, async () => {
    try {
      const { fields } = await ask(`/v1/items/${encodeURIComponent(id)}`);
      put(
        place,
        fields.map((field) => [field.field && h("small", { class: "note" }, field.field), shown({ ...field, name })]),
      );
    } catch (problem) {
      put(place, h("p", { class: "blank" }, problem.status === 404 ? "no preview" : problem.message));
    }
  });
  watcher.observe(place);
  return place;
}
