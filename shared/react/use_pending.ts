// Optimistic changes: shown at once, taken back when they are refused, and left to the live data when they are accepted.
import { useCallback, useState } from "react";
import type { GenesisError } from "../client/mod.ts";
import { toGenesisError } from "../client/error.ts";
import { useTurn } from "./context.ts";

export interface Pending<Change> {
  /** Those under way, the oldest first. */
  changes: Change[];
  /** Of the last change that was refused; cleared by the next one that is accepted, and by another person. */
  error: GenesisError | null;
  /**
   * Shows `change` while `send` runs. Throws the refusal as a GenesisError after the change was taken back; `accept` is
   * told the answer in the same render that takes it back, so that nothing flickers.
   */
  run<Answer>(change: Change, send: () => Promise<Answer>, accept?: (answer: Answer) => void): Promise<Answer>;
}

export function usePending<Change>(): Pending<Change> {
  const [entries, setEntries] = useState<{ change: Change; turn: number }[]>([]);
  const [refused, setRefused] = useState<{ turn: number; error: GenesisError } | null>(null);
  const turn = useTurn();

  const run = useCallback<Pending<Change>["run"]>(async (change, send, accept) => {
    const entry = { change, turn };
    setEntries((before) => [...before, entry]);
    const done = () => setEntries((before) => before.filter((other) => other !== entry));
    try {
      const answer = await send();
      accept?.(answer);
      setRefused(null);
      done();
      return answer;
    } catch (thrown) {
      const error = await toGenesisError(thrown);
      setRefused({ turn, error });
      done();
      throw error;
    }
  }, [turn]);
  const error = refused?.turn === turn ? refused.error : null;
  return { changes: entries.filter((entry) => entry.turn === turn).map(({ change }) => change), error, run };
}
