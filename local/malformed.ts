// What PostgREST's grammar has no place for, and lite reads as something else: a column called `(id`, a filter without a value.
import { Refused } from "./postgrest_errors.ts";

/** A parameter that PostgREST cannot parse, in its words. */
export class Malformed extends Refused {
  constructor(what: string, text: string, column: number, readonly details: string) {
    super(`"failed to parse ${what} (${text})" (line 1, column ${column})`);
  }

  get response(): Response {
    const { message, details } = this;
    return Response.json({ code: "PGRST100", details, hint: null, message }, { status: 400 });
  }
}

/** A place where a column or an embedding begins, and none does. */
const NO_ITEM = /(?:^|[(,])[ \t]*(?=[(:,])|,[ \t]*(?=\)|$)/;

/** @throws {Malformed} */
export function checkSelect(select: string): void {
  const bare = select.replaceAll(/"(?:[^"\\]|\\.)*"/gs, (quoted) => "x".repeat(quoted.length));
  const found = NO_ITEM.exec(bare);
  if (!found) return;
  const at = found.index + found[0].length;
  const unexpected = at < select.length ? JSON.stringify(select[at]) : "end of input";
  const expected = 'expecting "...", field name (* or [a..z0..9_$]), "*" or "count()"';
  throw new Malformed("select parameter", select, at + 1, `unexpected ${unexpected} ${expected}`);
}

/** What is no comparison: of NULL and booleans, and searches of text. */
const OTHERS = /^(is|in|(?:fts|plfts|phfts|wfts)(?:\([\w $]+\))?)$/;

/**
 * Whether a name is that of an operator.
 * @param isComparison whether it is one of a comparison
 */
export function isOperator(name: string, isComparison: (name: string) => boolean): boolean {
  return OTHERS.test(name) || isComparison(name.replace(/\((any|all)\)$/, ""));
}
