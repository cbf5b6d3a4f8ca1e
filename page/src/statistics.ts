// Intervals of what is selected in the page, computed where the selection is made.

/** ln Gamma by Lanczos' approximation. */
function lnGamma(x: number): number {
  const c = [
    76.18009172947146, -86.50532032941677, 24.01409824083091, -1.231739572450155,
    0.1208650973866179e-2, -0.5395239384953e-5,
  ];
  let sum = 1.000000000190015;
  for (let i = 0; i < 6; i++) sum += c[i] / (x + 1 + i);
  const t = x + 5.5;
  return (x + 0.5) * Math.log(t) - t + Math.log((2.5066282746310005 * sum) / x);
}

/** The regularised incomplete beta function by its continued fraction (Lentz). */
export function betaIncomplete(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - betaIncomplete(1 - x, b, a);
  const front = Math.exp(
    lnGamma(a + b) - lnGamma(a) - lnGamma(b) + a * Math.log(x) + b * Math.log(1 - x),
  );
  const tiny = 1e-300;
  let c = 1;
  let d = 1 / Math.max(1 - ((a + b) * x) / (a + 1), tiny);
  let fraction = d;
  for (let m = 1; m < 1000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / (1 + even * d || tiny);
    c = 1 + even / c || tiny;
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (1 + odd * d || tiny);
    c = 1 + odd / c || tiny;
    const step = d * c;
    fraction *= step;
    if (Math.abs(step - 1) < 1e-12) break;
  }
  return (front * fraction) / a;
}

function betaQuantile(p: number, a: number, b: number): number {
  let low = 0;
  let high = 1;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (betaIncomplete(middle, a, b) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** The exact 95 % interval of a probability (Clopper and Pearson). */
export function clopperPearson(successes: number, n: number): [number, number] {
  if (n === 0) return [0, 1];
  const failures = Math.max(0, n - successes); // both may be fractions, of weighted inputs
  return [
    successes === 0 ? 0 : betaQuantile(0.025, successes, failures + 1),
    failures === 0 ? 1 : betaQuantile(0.975, successes + 1, failures),
  ];
}

/** A mean, every value weighing 1 or as much as `weights` say. */
export function meanOf(values: ArrayLike<number>, weights: ArrayLike<number> | null): number {
  let total = 0;
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const w = weights ? weights[i] : 1;
    total += w;
    sum += w * values[i];
  }
  return sum / total;
}

/** The cluster of each input, and how much errors within one come together, 0 to 1. */
export interface Clusters {
  number: ArrayLike<number>;
  alike: number;
}

/**
 * The sum of the squares of values; of inputs whose errors come together, a share `alike` of it is
 * the sum of the squares of each cluster's sum.
 */
function squaresOf(values: number[], clusters: Clusters | null, alike = clusters?.alike ?? 0): number {
  const own = values.reduce((sum, value) => sum + value ** 2, 0);
  if (!clusters) return own;
  const sums = new Map<number, number>();
  values.forEach((value, i) =>
    sums.set(clusters.number[i], (sums.get(clusters.number[i]) ?? 0) + value),
  );
  let together = 0;
  for (const sum of sums.values()) together += sum ** 2;
  return (1 - alike) * own + alike * together;
}

/**
 * How many inputs of equal weight tell the accuracy as well: Kish's number, or, where the inputs
 * that weigh most are the least sure, as many as have the variance that a calibrated model's
 * weighted accuracy has. If it is told which are `correct`, 1 or 0, they are at most as many as have
 * the variance that errors show. `effective_numbers` of arcal.auditing is the same.
 */
export function effectiveNumber(
  confidence: ArrayLike<number>,
  given: ArrayLike<number> | null,
  correct?: ArrayLike<number>,
  clusters: Clusters | null = null,
): number {
  if (!given && !clusters) return confidence.length;
  const weights = given ? Array.from(given) : Array.from(confidence, () => 1);
  const total = weights.reduce((sum, w) => sum + w, 0);
  const doubts = weights.map((w, i) => w * Math.sqrt(Math.max(0, confidence[i] * (1 - confidence[i]))));
  const variance = squaresOf(doubts, clusters);
  const kish = total ** 2 / squaresOf(weights, clusters);
  const mean = meanOf(confidence, weights);
  const telling = (mean * (1 - mean) * total ** 2) / variance;
  const n = telling < (1 - 1e-9) * kish ? telling : kish;
  if (!correct) return n;
  const share = meanOf(correct, weights);
  const residuals = weights.map((w, i) => w * (correct[i] - share));
  const shown = squaresOf(residuals, clusters, 1);
  const told = (share * (1 - share) * total ** 2) / shown;
  return told < (1 - 1e-9) * n ? told : n;
}

/**
 * Whether so many inputs say too little for a verdict: were the model calibrated, the interval of
 * their accuracy would be wider than 21 points, as in the groups of an audit.
 */
export function tooFew(confidence: number, n: number): boolean {
  const [low, high] = clopperPearson(Math.min(1, confidence) * n, n);
  return high - low > 0.21;
}

/** A share of fewer inputs than these is drawn pale. */
export const FEW = 20;
