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

/**
 * `usePresence("project:" + id, { name, cursor })`: shows oneself with that and answers everybody, oneself included. With
 * null one looks without being seen.
 */
export function usePresence<Told extends Record<string, unknown>>(topic: Topic, told: Told | null): UsePresence<Told> {
  const { supabase } = useGenesis();
  const turn = useTurn();
  const [everybody, setEverybody] = useState<Somebody<Told>[]>([]);
  const [isLive, setIsLive] = useState(false);
  const [error, setError] = useState<GenesisError | null>(null);
  const subscription = useRef<Subscription | null>(null);
  // By value: an object literal is another one at every render.
  const text = JSON.stringify(told);

  useEffect(() => {
    const opened = listen(supabase, topic, {
      joined(isJoined, refusal) {
        setIsLive(isJoined);
        // A connection that is lost comes back, and says nothing about who is there.
        const isFinal = refusal !== undefined && !refusal.isTransient;
        setError(isFinal ? refusal : null);
        if (isFinal) setEverybody([]);
      },
      present(present) {
        setEverybody(Object.entries(present).map(([key, states]) => ({ key, states: states as Told[] })));
      },
    });
    subscription.current = opened;
    return () => {
      subscription.current = null;
      opened.close();
      setEverybody([]);
      setError(null);
      setIsLive(false);
    };
  }, [supabase, topic, turn]);

  useEffect(() => subscription.current?.track(JSON.parse(text)), [supabase, topic, turn, text]);
  return { everybody, error, isLive };
}
