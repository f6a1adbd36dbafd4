// The changes of a table as they happen, for what no other hook shows.
import { useCallback, useEffect, useRef, useState } from "react";
import { type Change, type GenesisError, listenToChanges, type TableChanges } from "../client/mod.ts";
import { useGenesis } from "./context.ts";

export interface UseRealtimeSubscription {
  isConnected: boolean;
  error: GenesisError | null;
  subscribe(): void;
  unsubscribe(): void;
}

/**
 * Calls `onData` with every change the person may see, from the mount until the unmount or `unsubscribe()`. Changes while
 * the connection was lost are not told: load what is shown again when `isConnected` comes back, or use a hook that does.
 *
 *     useRealtimeSubscription({ table: "files", filter: `project_id=eq.${id}` }, ({ eventType, new: row }) => …);
 */
export function useRealtimeSubscription(
  { table, schema = "public", event = "*", filter }: TableChanges,
  onData: (change: Change) => void,
  dependencies: readonly unknown[] = [],
): UseRealtimeSubscription {
  const { supabase } = useGenesis();
  const [isWanted, setIsWanted] = useState(true);
  const [isConnected, setIsConnected] = useState(false);
  const [error, setError] = useState<GenesisError | null>(null);
  const latest = useRef(onData);
  useEffect(() => {
    latest.current = onData;
  });

  useEffect(() => {
    if (!isWanted) return;
    const changes = { table, schema, event, ...(filter !== undefined && { filter }) };
    const subscription = listenToChanges(supabase, changes, {
      joined(isJoined, thrown) {
        setIsConnected(isJoined);
        setError(isJoined ? null : thrown ?? null);
      },
      changed: (change) => latest.current(change),
    });
    return () => {
      subscription.close();
      setIsConnected(false);
    };
  }, [supabase, isWanted, table, schema, event, filter, ...dependencies]);

  return {
    isConnected,
    error,
    subscribe: useCallback(() => setIsWanted(true), []),
    unsubscribe: useCallback(() => setIsWanted(false), []),
  };
}
