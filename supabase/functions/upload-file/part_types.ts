// Which parts of a form name a type. The standard of forms has one that names none be text/plain, and so the parser calls
// it; but clients that leave the type out, as Python's requests does, mean nothing by it.
import type { EventEmitter } from "node:events";

type Headers = Record<string, string[] | undefined>;

/** The parser tells nobody of a part's headers; they pass through the one inside it. */
interface Inside {
  _parser?: { parser?: EventEmitter };
}

/**
 * Asks of the part that has begun last. A parser that is built in another way is not looked into: for it all parts name
 * a type, text/plain where they do not.
 */
export function watchTypes(parser: EventEmitter): () => boolean {
  let isTyped = true;
  (parser as EventEmitter & Inside)._parser?.parser?.on("part", (part: EventEmitter) => {
    // Before the parser itself hears of them.
    part.prependOnceListener("header", (headers: Headers) => isTyped = Boolean(headers["content-type"]?.[0]?.trim()));
  });
  return () => isTyped;
}
