// How the bench measures: what is compared takes turns, round after round, and the middle of the rounds counts. The
// machine may be shared, so figures are read beside those of the same round.

/** One contender at one workload. */
export interface Contender {
  name: string;
  /** What must be there before the clock runs; not measured. */
  prepare?(): Promise<void>;
  /** Does it once and answers the figure. */
  run(): Promise<number>;
  /** After the last round. Connections last until then, as those of real workers do. */
  close?(): Promise<void>;
}

/** Contenders that take turns, and how their figures are read. */
export interface Comparison {
  /** The table it belongs to. */
  set: string;
  workload: string;
  clients: number;
  unit: "per second" | "µs";
  contenders: Contender[];
  /** The contender that the others are divided by. */
  baseline: string;
  rounds?: number;
}

export interface Measure {
  set: string;
  workload: string;
  clients: number;
  contender: string;
  unit: "per second" | "µs";
  /** The middle of the rounds. */
  figure: number;
  /** The middle of the rounds' ratios to the baseline. */
  ratio: number;
  baseline: string;
  rounds: number[];
}

export function median(figures: number[]): number {
  const sorted = figures.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2;
}

/** Runs the contenders in turn; every round begins with another of them. */
export async function compare(comparison: Comparison, rounds: number): Promise<Measure[]> {
  const { contenders, baseline, set, workload, clients, unit } = comparison;
  const figures = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < (comparison.rounds ?? rounds); round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const contender = contenders[(round + turn) % contenders.length];
      if (!contender) continue;
      await contender.prepare?.();
      figures.get(contender.name)?.push(await contender.run());
    }
  }
  for (const contender of contenders) await contender.close?.();
  const base = figures.get(baseline) ?? [];
  return contenders.map(({ name }) => {
    const own = figures.get(name) ?? [];
    const ratios = own.map((figure, round) => figure / (base[round] ?? NaN));
    return {
      set,
      workload,
      clients,
      contender: name,
      unit,
      figure: median(own),
      ratio: median(ratios),
      baseline,
      rounds: own,
    };
  });
}

/** How often per second something happened, while `work` did it `count` times. */
export async function rate(count: number, work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return count / (performance.now() - started) * 1000;
}
