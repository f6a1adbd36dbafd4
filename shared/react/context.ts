// Hands the typed client to the hooks below it.
"use client";
import { createContext, createElement, type ReactNode, useContext } from "react";
import type { Genesis } from "../client/mod.ts";

const GenesisContext = createContext<Genesis | null>(null);

/** `<GenesisProvider genesis={genesis}>…</GenesisProvider>`, with one client for the life of the page. */
export function GenesisProvider({ genesis, children }: { genesis: Genesis; children?: ReactNode }): ReactNode {
  return createElement(GenesisContext.Provider, { value: genesis }, children);
}

/** The client of the nearest provider, for operations that no hook wraps. */
export function useGenesis(): Genesis {
  const genesis = useContext(GenesisContext);
  if (!genesis) throw new Error("useGenesis needs a GenesisProvider above it.");
  return genesis;
}
