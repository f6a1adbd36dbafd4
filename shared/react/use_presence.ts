// Who else is looking: people on the same project, execution or chat, with what each of them tells.
import { useEffect, useRef, useState } from "react";
import { type GenesisError, listen, type Subscription } from "../client/mod.ts";
import { useGenesis, useTurn } from "./context.ts";

export type Topic = `project:${string}` | `execution:${string}` | `chat:${string}`;

export interface Somebody<Told> {
  /** The person's id, on their client's word; made up by the server for clients without a person. */
  key: string;
  /** What each of the person's windows tells. */
  states: Told[];
}

export interface UsePresence<Told> {
  everybody: Somebody<Told>[];
  /** Why one may not look; nobody is shown then. */
  error: GenesisError | null;
  isLive: boolean;
}

interface State<Told> extends UsePresence<Told> {
  /** Whose turn it was, and on which topic. */
  key: string;
}

const NOTHING: UsePresence<never> = { everybody: [], error: null, isLive: false };

/**
 * `usePresence("project:" + id, { name, cursor })`: shows oneself with that and answers everybody, oneself included. With
 * null one looks without being seen. A topic without an id shows nothing.
 */
export function usePresence<Told extends Record<string, unknown>>(topic: Topic, told: Told | null): UsePresence<Told> {
  const { supabase } = useGenesis();
  const turn = useTurn();
  const key = `${turn} ${topic}`;
  const [state, setState] = useState<State<Told>>({ key, ...NOTHING });
  const subscription = useRef<Subscription | null>(null);
  // By value: an object literal is another one at every render.
  const text = JSON.stringify(told);

  useEffect(() => {
    if (topic.endsWith(":")) return;
    const change = (made: Partial<UsePresence<Told>>) =>
      setState((before) => ({ ...(before.key === key ? before : { key, ...NOTHING }), ...made }));
    const opened = listen(supabase, topic, {
      joined(isLive, refusal) {
        // A connection that is lost comes back, and says nothing about who is there.
        const isFinal = refusal !== undefined && !refusal.isTransient;
        change({ isLive, error: isFinal ? refusal : null, ...(isFinal && { everybody: [] }) });
      },
      present(present) {
        change({ everybody: Object.entries(present).map(([key, states]) => ({ key, states: states as Told[] })) });
      },
    });
    subscription.current = opened;
    return () => {
      subscription.current = null;
      opened.close();
      setState({ key, ...NOTHING });
    };
  }, [supabase, topic, key]);

  useEffect(() => subscription.current?.track(JSON.parse(text)), [supabase, key, text]);
  // Who is on another topic is not shown, not even for one frame.
  const { everybody, error, isLive } = state.key === key ? state : NOTHING;
  return { everybody, error, isLive };
}
