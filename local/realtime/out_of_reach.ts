// Whether the database could not be asked at all, which says nothing about what was asked.
import { isSqlState } from "../postgrest_errors.ts";

/** A connection that ended or could not be made, a server that stops or starts. */
export function isOutOfReach(thrown: unknown): boolean {
  const { code } = (thrown ?? {}) as { code?: unknown };
  return isSqlState(code) ? /^(08|53300|57P)/.test(code) : typeof code === "string";
}
