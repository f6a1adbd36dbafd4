// Hands the typed client to the hooks below it.
"use client";
import { createContext, createElement, type ReactNode, useContext, useEffect, useMemo, useState } from "react";
import type { Genesis } from "../client/mod.ts";
import { onPersonChange } from "../client/person.ts";

/** The id of who is signed in, null where nobody is; undefined while that is not known, or cannot be. */
export type Person = string | null | undefined;

interface Given {
  genesis: Genesis;
  /** Counts the people who have spoken through the client, one after another. */
  turn: number;
  person: Person;
}

const GenesisContext = createContext<Given | null>(null);

/** `<GenesisProvider genesis={genesis}>…</GenesisProvider>`, with one client for the life of the page. */
export function GenesisProvider({ genesis, children }: { genesis: Genesis; children?: ReactNode }): ReactNode {
  const [{ turn, person }, setSpeaker] = useState<Omit<Given, "genesis">>({ turn: 0, person: undefined });
  useEffect(
    () =>
      onPersonChange(
        genesis.supabase,
        (person, isOther) => setSpeaker(({ turn }) => ({ turn: isOther ? turn + 1 : turn, person })),
      ),
    [genesis],
  );
  return createElement(
    GenesisContext.Provider,
    { value: useMemo(() => ({ genesis, turn, person }), [genesis, turn, person]) },
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

/** Who is signed in: what somebody left undone is there again when they come back. */
export const usePerson = (): Person => useGiven().person;
