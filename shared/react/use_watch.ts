// Follows a watch of the client for as long as a component is there: what every live hook is made of.
import { useEffect, useRef, useState } from "react";
import { toGenesisError } from "../client/error.ts";
import type { Genesis, GenesisError, Watch, WatchOptions } from "../client/mod.ts";
import { useGenesis, useTurn } from "./context.ts";

export interface Watched<Step> {
  /** The newest step; undefined until there is one. */
  step: Step | undefined;
  /** Nothing has come yet, and nothing has failed. */
  loading: boolean;
  /** What ended the watch. */
  error: GenesisError | null;
  /** Changes arrive as they happen; while false, they arrive a little later. */
  isLive: boolean;
}

interface State<Step> {
  key: string;
  step?: Step;
  error?: GenesisError;
  isLive: boolean;
}

/**
 * Follows `start`'s watch, anew whenever `id`, the client or the person changes; an empty id follows nothing. `fold` makes what is
 * shown from what was and the new step. The channel behind it outlives an unmount by a moment, so that StrictMode's second
 * mount joins nothing twice.
 */
export function useWatch<Step>(
  id: string,
  start: (genesis: Genesis, options: WatchOptions) => Watch<Step>,
  fold: (before: Step | undefined, step: Step) => Step = (_before, step) => step,
): Watched<Step> {
  const genesis = useGenesis();
  const turn = useTurn();
  const key = id && `${turn} ${id}`;
  const [state, setState] = useState<State<Step>>({ key, isLive: false });
  const latest = useRef({ start, fold });
  useEffect(() => {
    latest.current = { start, fold };
  });

  useEffect(() => {
    if (!key) return;
    const stopping = new AbortController();
    const change = (make: (before: State<Step>) => State<Step>) => {
      if (stopping.signal.aborted) return;
      setState((before) => make(before.key === key ? before : { key, isLive: false }));
    };
    const follow = async () => {
      const onConnection = (isLive: boolean) => change((before) => ({ ...before, isLive }));
      try {
        for await (const step of latest.current.start(genesis, { signal: stopping.signal, onConnection })) {
          change(({ isLive, ...before }) => ({ key, isLive, step: latest.current.fold(before.step, step) }));
        }
      } catch (thrown) {
        // Whoever may not see it any more is not shown what they saw.
        const error = await toGenesisError(thrown);
        change(() => ({ key, error, isLive: false }));
      }
    };
    void follow();
    return () => stopping.abort();
  }, [genesis, key]);

  // What belongs to another key is not shown, not even for one frame.
  const current = state.key === key ? state : undefined;
  return {
    step: current?.step,
    loading: key !== "" && current?.step === undefined && current?.error === undefined,
    error: current?.error ?? null,
    isLive: current?.isLive ?? false,
  };
}
