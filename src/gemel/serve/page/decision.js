// The arithmetic of a decision, as the server has it: from a distance to evidence, probability, threshold and rates.
// Plain numbers; knows no elements. Distances ascend from knot to knot, and everything is linear between two.

/** The log of the odds of a probability, and back. */
export const logit = (p) => Math.log(p / (1 - p));
export const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** The probability of *same*: evidence (a natural log-likelihood ratio) at a prior. */
export const probability = (llr, prior) => sigmoid(llr + logit(prior));

/** A field of the knots at a distance; constant beyond the outer ones. */
export function at(knots, distance, field) {
  const after = knots.findIndex((knot) => knot.distance >= distance);
  if (after <= 0) return (after === 0 ? knots[0] : knots[knots.length - 1])[field];
  const [a, b] = [knots[after - 1], knots[after]];
  return a[field] + ((distance - a.distance) / (b.distance - a.distance)) * (b[field] - a[field]);
}

/** The largest distance whose evidence reaches a level; infinite where all do, minus infinite where none does. */
export function reach(knots, level) {
  let last = -1;
  while (last + 1 < knots.length && knots[last + 1].llr >= level) last += 1;
  if (last < 0) return -Infinity;
  if (last === knots.length - 1) return Infinity;
  const [a, b] = [knots[last], knots[last + 1]];
  return a.distance + ((a.llr - level) / (a.llr - b.llr)) * (b.distance - a.distance);
}

/** What a threshold costs: {fmr, fnmr}, each {value, low, high}. */
export function costs(knots, threshold) {
  if (!Number.isFinite(threshold)) {
    const accepted = threshold > 0 ? 1 : 0;
    return { fmr: sure(accepted), fnmr: sure(1 - accepted) };
  }
  const rate = (name) => ({
    value: at(knots, threshold, name),
    low: at(knots, threshold, `${name}_low`),
    high: at(knots, threshold, `${name}_high`),
  });
  return { fmr: rate("fmr"), fnmr: rate("fnmr") };
}

const sure = (value) => ({ value, low: value, high: value });

/** An operating point's threshold; infinite where it accepts all, minus infinite where it accepts nothing. */
export function thresholdOf(point) {
  if (point.threshold !== null && point.threshold !== undefined) return point.threshold;
  return point.accepts === "all" ? Infinity : -Infinity;
}

/** An operating point of a decision at a prior: {name, threshold, fmr, fnmr}. Only "bayes" moves with the prior. */
export function pointOf(decision, name, prior) {
  if (name === "bayes") {
    const threshold = reach(decision.knots, -logit(prior));
    return { name, threshold, ...costs(decision.knots, threshold) };
  }
  const point = decision.points.find((each) => each.name === name);
  const rate = (field) => ({ value: point[field], low: point[`${field}_low`], high: point[`${field}_high`] });
  return { name, threshold: thresholdOf(point), fmr: rate("fmr"), fnmr: rate("fnmr") };
}

/**
 * The verdict on a distance: at an operating point, a prior, and with a certainty below which it stays undecided.
 * `boundary` is the probability at the threshold: where the gauge changes sides.
 */
export function judged(decision, { distance, llr }, { point, prior, certainty }) {
  const found = pointOf(decision, point, prior);
  const p = probability(llr, prior);
  const unsure = certainty > 0.5 && Math.max(p, 1 - p) < certainty;
  return {
    same: unsure ? null : distance <= found.threshold,
    probability: p,
    distance,
    certainty,
    ...found,
    boundary: boundary(decision.knots, found.threshold, prior),
  };
}

function boundary(knots, threshold, prior) {
  if (!Number.isFinite(threshold)) return threshold > 0 ? 0 : 1;
  return probability(at(knots, threshold, "llr"), prior);
}

/** How distances lie: shares of same and of different pairs in equal steps of distance, {low, high, same, different}. */
export function histogram(knots, bins) {
  const [low, high] = [knots[0].distance, knots[knots.length - 1].distance];
  const edges = Array.from({ length: bins + 1 }, (_, i) => low + ((high - low) * i) / bins);
  const shares = (accepted) =>
    edges.slice(1).map((edge, i) => Math.max(0, accepted(edge) - (i === 0 ? 0 : accepted(edges[i]))));
  return {
    low,
    high,
    same: shares((edge) => 1 - at(knots, edge, "fnmr")),
    different: shares((edge) => at(knots, edge, "fmr")),
  };
}
