// What random tests begin from. The ordinary suite always takes the same seed, so that it judges the change and not the
// day; a longer run (GENESIS_RUNS, as by `deno task test:nightly`) takes a new one. GENESIS_SEED repeats any of them.

const { GENESIS_SEED, GENESIS_RUNS } = Deno.env.toObject();

export const SEED = Number(GENESIS_SEED ?? (GENESIS_RUNS ? Date.now() % 2 ** 31 : 20_261_122));
