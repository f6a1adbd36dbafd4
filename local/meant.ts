// Lite has words of its own for some things that PostgREST means, and none for others. What a request means is kept here while
// it is handled, each under a random word that lite takes for a value, and put into the statement that lite sends.
import { AsyncLocalStorage } from "node:async_hooks";

const meant = new AsyncLocalStorage<Map<string, string>>();

/** Handles a request that may mean something. */
export function meaning<Answer>(handle: () => Answer): Answer {
  return meant.run(new Map(), handle);
}

/** @returns the value that stands for a part of a statement: for ` = value`, or for the value alone */
export function wordFor(sql: string): string {
  const word = `meant-${crypto.randomUUID()}`;
  meant.getStore()?.set(word, sql);
  return word;
}

/** Whether a value stands for a part of a statement already. */
export function isWord(value: string): boolean {
  return meant.getStore()?.has(value) ?? false;
}

/** A parameter of a statement, with the sign before it; names and texts are found to be passed over. */
const PARAMETER = /"(?:[^"]|"")*"|'(?:[^']|'')*'|(?:(?<!:)= )?\$(\d+)\b/g;

/**
 * A statement of lite's as it was meant. `unused` takes the place of parameters that are no more in it. A name or a text of the
 * statement may be `$1`, too: what is put between quotes could end them, and say anything.
 */
export function asMeant(text: string, parameters: unknown[], unused: unknown): [string, unknown[]] {
  const words = meant.getStore();
  if (!words?.size) return [text, parameters];
  const left = [...parameters];
  const said = text.replaceAll(PARAMETER, (found, n) => {
    const sql = n === undefined ? undefined : words.get(String(parameters[n - 1]));
    // The number stays taken, so that those behind keep theirs.
    if (sql !== undefined) left[n - 1] = unused;
    return sql ?? found;
  });
  return [said, left];
}
