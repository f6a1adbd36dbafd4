// Hands the typed client to the hooks below it.
"use client";
import { createContext, createElement, type ReactNode, useContext, useEffect, useMemo, useState } from "react";
import type { Genesis } from "../client/mod.ts";
import { onPersonChange } from "../client/person.ts";

interface Given {
  genesis: Genesis;
  /** Counts the people who have spoken through the client, one after another. */
  turn: number;
}

const GenesisContext = createContext<Given | null>(null);

/** `<GenesisProvider genesis={genesis}>…</GenesisProvider>`, with one client for the life of the page. */
export function GenesisProvider({ genesis, children }: { genesis: Genesis; children?: ReactNode }): ReactNode {
  const [turn, setTurn] = useState(0);
  useEffect(() => onPersonChange(genesis.supabase, () => setTurn((before) => before + 1)), [genesis]);
  return createElement(
    GenesisContext.Provider,
    { value: useMemo(() => ({ genesis, turn }), [genesis, turn]) },
    children,
  );
}

function useGiven(): Given {
  const given = useContext(GenesisContext);
  if (!given) throw new Error("useGenesis needs a GenesisProvider above it.");
  return given;
}

/** The client of the nearest provider, for operations that no hook wraps. */
export const useGenesis = (): Genesis => useGiven().genesis;

/** Which of the people in turn is signed in: what one of them was shown is not the next one's. */
export const useTurn = (): number => useGiven().turn;
