// From files and typed numbers to items as the API takes them, and to numbers that can be drawn.
// What a series looks like here is a preview only: the server reads the file itself. Knows no elements.

import { Problem } from "./api.js";

const PEAKS = 240;
const MOST_POINTS = 400;

/** A file as an item: {base64, name}. */
export async function packed(file) {
  const url = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Problem(`${file.name} can no longer be read; choose it again.`));
    reader.readAsDataURL(file);
  });
  return { base64: url.slice(url.indexOf(",") + 1), name: file.name };
}

/** Numbers as people type them: a line a step, commas, semicolons, tabs or blanks between. Null where that is none. */
export function numbers(text) {
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.replace(/[[\]]/g, " ").trim())
    .filter(Boolean);
  const rows = lines.map((line) =>
    line
      .split(/[\s,;]+/)
      .filter(Boolean)
      .map(Number),
  );
  return rows.length > 0 && rows.flat().every(Number.isFinite) && rows.every((row) => row.length > 0) ? rows : null;
}

/** Typed numbers as a series, time × channels; a single line of several is one channel. Rejects where it is none. */
export function seriesOf(text) {
  const rows = numbers(text);
  if (!rows)
    throw new Problem(
      "A series is numbers: one step a line, its channels with commas between; or one line for one channel.",
    );
  const width = rows[0].length;
  const odd = rows.findIndex((row) => row.length !== width);
  if (odd > 0)
    throw new Problem(
      `Every step has as many channels: the first has ${width}, step ${odd + 1} has ${rows[odd].length}.`,
    );
  return rows.length === 1 ? rows[0].map((value) => [value]) : rows;
}

/** Typed numbers as a vector of so many dimensions. Rejects where it is none. */
export function vectorOf(text, dim) {
  const values = (numbers(text) ?? []).flat();
  if (values.length === 0) throw new Problem("A vector is numbers with commas or blanks between.");
  if (dim && values.length !== dim)
    throw new Problem(`The vector has ${values.length} numbers, and this model compares ${dim}.`);
  return values;
}

/** The numbers in a CSV or NPY file, to draw them; null where this page cannot read them. */
export async function pictured(file) {
  const content = await file.arrayBuffer();
  const magic = new Uint8Array(content, 0, Math.min(6, content.byteLength));
  if (magic[0] === 0x93 && String.fromCharCode(...magic.slice(1)) === "NUMPY") return thinned(npy(content));
  const lines = new TextDecoder().decode(content).trim().split(/\r?\n/);
  return thinned(numbers(lines.join("\n")) ?? numbers(lines.slice(1).join("\n")));
}

const TYPES = {
  f8: Float64Array,
  f4: Float32Array,
  i8: BigInt64Array,
  i4: Int32Array,
  i2: Int16Array,
  i1: Int8Array,
  u1: Uint8Array,
  u2: Uint16Array,
};

function npy(content) {
  const view = new DataView(content);
  const [start, length] = view.getUint8(6) === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)];
  const header = new TextDecoder().decode(new Uint8Array(content, start, length));
  const [, kind] = /'descr': *'[<|=]([a-z]\d)'/.exec(header) ?? [];
  const shape = (/'shape': *\(([^)]*)\)/.exec(header)?.[1] ?? "")
    .split(",")
    .filter((n) => n.trim())
    .map(Number);
  if (!TYPES[kind] || shape.length < 1 || shape.length > 2) return null;
  const values = Array.from(new TYPES[kind](content.slice(start + length)), Number);
  const [steps, channels] = [shape[0], shape[1] ?? 1];
  const columns = header.includes("'fortran_order': True");
  return Array.from({ length: steps }, (_, t) =>
    Array.from({ length: channels }, (__, c) => values[columns ? c * steps + t : t * channels + c]),
  );
}

/** At most so many steps of a series, evenly spread. */
function thinned(rows) {
  if (!rows || rows.length === 0) return null;
  const step = Math.max(1, rows.length / MOST_POINTS);
  return Array.from({ length: Math.ceil(rows.length / step) }, (_, i) => rows[Math.floor(i * step)]);
}

/** The outline of a sound, [[low, high], …]; null where the browser cannot decode it. */
export async function outline(blob) {
  try {
    const sound = await new OfflineAudioContext(1, 1, 16000).decodeAudioData(await blob.arrayBuffer());
    const samples = sound.getChannelData(0);
    const step = Math.max(1, Math.floor(samples.length / PEAKS));
    const loudest = samples.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
    return Array.from({ length: Math.min(PEAKS, samples.length) }, (_, i) => {
      const part = samples.subarray(i * step, (i + 1) * step);
      return [part.reduce((a, b) => Math.min(a, b)) / loudest, part.reduce((a, b) => Math.max(a, b)) / loudest];
    });
  } catch {
    return null;
  }
}
