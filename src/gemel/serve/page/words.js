// Numbers and verdicts as people say them, as in the report: rates as percentages, intervals, distances.
// Knows no elements.

/** A share with three digits, more where it is close to all: 0.04271 → "4.27%", 0.9996 → "99.96%". */
export function percent(share) {
  if (share > 0.99 && share < 1) return `${(Math.floor(share * 10000) / 100).toFixed(2)}%`;
  return `${plain(Number((100 * share).toPrecision(3)))}%`;
}

/** A rate and the interval it lies in: "4.27% (3.1% to 6%)". */
export function rated({ value, low, high }) {
  const known = low !== null && low !== undefined && high !== null && high !== undefined;
  return percent(value) + (known ? ` (${percent(low)} to ${percent(high)})` : "");
}

/** A distance or a threshold, which may be infinite. */
export function far(value) {
  if (value === Infinity) return "any";
  if (value === -Infinity) return "none";
  return plain(Number(value.toPrecision(value < 1 ? 3 : 4)));
}

/** A number without an exponent. */
const plain = (number) => number.toLocaleString("en", { maximumFractionDigits: 8, useGrouping: false });

/** How many of something: many(1, "identity") → "1 identity", many(1200, "item") → "1,200 items". */
export function many(count, noun) {
  const named =
    count === 1 ? noun : noun.endsWith("y") ? `${noun.slice(0, -1)}ies` : noun.endsWith("s") ? noun : `${noun}s`;
  return `${count.toLocaleString("en")} ${named}`;
}

const NOUNS = {
  image: "image",
  text: "text",
  series: "series",
  audio: "recording",
  vector: "vector",
  record: "record",
};

/** What an item of a kind is called. */
export const noun = (kind) => NOUNS[kind] ?? "item";

/** The noun with its article. */
export const one = (kind) => (/^[aeiou]/.test(noun(kind)) ? `an ${noun(kind)}` : `a ${noun(kind)}`);

const MEASURES = {
  held_out_eer: "EER on held-out identities",
  held_out_spearman: "Spearman correlation on held-out pairs",
};

/** What a measure is called. */
export const measureWords = (name) => MEASURES[name] ?? name.replaceAll("_", " ");

/** The verdict in three words. */
export const VERDICTS = new Map([
  [true, "The same"],
  [false, "Not the same"],
  [null, "Undecided"],
]);

/** Why: where the distance lies and how probable "same" is. */
export function because({ same, probability, distance, threshold, certainty }) {
  if (same === null) {
    return `Neither answer is as probable as ${percent(certainty)}: the same with ${percent(probability)}, different with ${percent(1 - probability)}.`;
  }
  if (threshold === Infinity) return `Every distance counts as the same here, so also ${far(distance)}.`;
  if (threshold === -Infinity)
    return `No distance is near enough to count as the same here, so ${far(distance)} is not.`;
  const where = distance <= threshold ? "within" : "beyond";
  return `The distance ${far(distance)} is ${where} the threshold ${far(threshold)}.`;
}

/** An operating point by its name: "bayes", "eer", "fmr=1e-2", "fmr_skilled=1e-2". */
export function pointWords(name) {
  const [kind, rate] = name.split("=");
  if (kind === "bayes") return "the more probable answer";
  if (kind === "eer") return "where both errors are equally frequent";
  const against = {
    fmr: "FMR",
    fmr_random: "FMR against random pairs",
    fmr_skilled: "FMR against skilled impostors",
    fpir: "FPIR",
  };
  return `${against[kind] ?? kind} at most ${percent(Number(rate))}`;
}
