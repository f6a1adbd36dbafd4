// POST /revert-execution: undoes what an execution wrote, and says what was kept and why. What has more paths than one
// transaction has time for is undone in parts.
import type * as z from "zod";
import { revertExecution } from "../../../shared/contract/save-artifact.ts";
import type { AppContext } from "../_shared/auth.ts";
import { callDoor } from "../_shared/database.ts";
import { route } from "../_shared/route.ts";

type Input = z.output<typeof revertExecution.input>;
type Part = z.output<typeof revertExecution.output>;

/** How many parts of 10,000 paths one answer tells of: 20 MB, of which several are in memory at once. */
const PARTS = 4;

async function revertPart(input: Input, context: AppContext): Promise<Part> {
  return revertExecution.output.parse(await callDoor(context, "revert_execution", input));
}

export const revert = route(revertExecution, async (input, context) => {
  const { reverted, kept, next_after } = await revertPart(input, context);
  let after = next_after;
  // Who says how many paths wants no others.
  for (let parts = 1; after !== null && parts < PARTS && input.limit === undefined; parts++) {
    const part = await revertPart({ ...input, after }, context).catch(() => null);
    // What was undone is told of; whoever goes on from there is told why it does not.
    if (!part) break;
    for (const version of part.reverted) reverted.push(version);
    for (const path of part.kept) kept.push(path);
    after = part.next_after;
  }
  return { body: { reverted, kept, next_after: after } };
});
