// `deno task bench`: measures the engine and its reads beside what people would otherwise pick, on the same server in the
// same run, prints the tables, and writes docs/bench.json and docs/bench.md.
//
//   deno task bench                       everything
//   deno task bench --only growth,reads   some sets; prints and writes nothing
//   deno task bench --workload single     what has that in its name; prints and writes nothing
//   deno task bench --quick --out DIR     all of it in small, to see that it runs; the figures say nothing
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { cloneDatabase } from "../support/database.ts";
import { startTestStack } from "../support/test_stack.ts";
import { broadcastComparisons } from "./broadcast/comparisons.ts";
import { openPlace } from "./engine/place.ts";
import { workflowComparisons } from "./engine/comparisons.ts";
import { growthComparisons } from "./growth/comparisons.ts";
import { nameMachine } from "./machine.ts";
import { compare, type Measure } from "./measure.ts";
import { readComparisons } from "./reads/comparisons.ts";
import { type Report, toMarkdown } from "./report.ts";
import { markdownTable } from "./table.ts";
import { stack } from "../support/stack.ts";

const DOCS = fileURLToPath(new URL("../../docs", import.meta.url));
const SETS = ["workflows", "broadcast", "growth", "reads"];

const { values } = parseArgs({
  args: Deno.args,
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    workload: { type: "string", default: "" },
    out: { type: "string" },
    rounds: { type: "string", default: "3" },
  },
});
const { quick } = values;
const rounds = quick ? 1 : Number(values.rounds);
const wanted = values.only?.split(",") ?? SETS;
const out = values.out ?? (values.only || values.workload || quick ? undefined : DOCS);

await using started = Deno.env.has("TEST_ADMIN_DB_URL") ? undefined : await startTestStack();
// Ctrl-C takes the server down too; it would outlive this process.
const interrupt = async () => {
  await started?.[Symbol.asyncDispose]();
  Deno.exit(130);
};
for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => void interrupt());
for (const [name, value] of Object.entries(started?.env ?? {})) Deno.env.set(name, value);
await using database = await cloneDatabase();
await using sql = await openPlace(database.url);
await using http = await openPlace(stack.adminDatabaseUrl);

const workflows = wanted.includes("workflows") ? await workflowComparisons({ sql, http }, quick) : undefined;
await using broadcast = wanted.includes("broadcast") ? await broadcastComparisons(quick) : undefined;
await using reads = wanted.includes("reads") ? await readComparisons(quick) : undefined;
const comparisons = [
  ...workflows?.comparisons ?? [],
  ...broadcast?.comparisons ?? [],
  ...(wanted.includes("growth") ? growthComparisons(sql, quick) : []),
  ...reads?.comparisons ?? [],
].filter(({ workload }) => workload.includes(values.workload));
const measures: Measure[] = [];
for (const comparison of comparisons) {
  console.error(`${comparison.set}: ${comparison.workload}, ${comparison.clients} client(s)`);
  const measured = await compare(comparison, rounds);
  console.error(markdownTable(measured));
  measures.push(...measured);
}

const report: Report = {
  machine: await nameMachine(stack.adminDatabaseUrl),
  rounds,
  quick,
  measures,
  skipped: workflows?.skipped ?? [],
};
const page = toMarkdown(report);
console.log(page);
if (out) {
  await Deno.writeTextFile(`${out}/bench.json`, JSON.stringify(report, null, 2) + "\n");
  await Deno.writeTextFile(`${out}/bench.md`, page);
}
