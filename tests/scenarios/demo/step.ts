// A step of the story: it has a name, does one thing, and fails with one sentence.
import type { View } from "./view.ts";

/** A step that did not hold: its name and why. */
export class StepFailure extends Error {
  override name = "StepFailure";
  constructor(step: string, cause: unknown) {
    super(`Step "${step}" failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Runs a step under its name; `tell` makes the line that says what came of it. Throws StepFailure. */
export type Step = <T>(name: string, run: () => Promise<T>, tell: (result: T) => string) => Promise<T>;

/** Steps that show themselves in a view; none begins, or is shown as done, once the signal has come. */
export function stepper(view: View, signal: AbortSignal): Step {
  return async (name, run, tell) => {
    signal.throwIfAborted();
    view.begin(name);
    try {
      const result = await run();
      signal.throwIfAborted();
      view.done(name, tell(result));
      return result;
    } catch (thrown) {
      throw new StepFailure(name, thrown);
    }
  };
}
