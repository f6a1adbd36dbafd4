// Arrays of the Data API with NULL among their elements: postgres.js reads it as the text, so that a list of JSON with one
// could not be read at all.

/** How postgres.js is told to write and read a type. */
export interface Type {
  to: number;
  from: number[];
  serialize(value: unknown): unknown;
  parse(text: string): unknown;
}

const TOKEN = /[{}]|"((?:[^"\\]|\\.)*)"|([^{},"]+)/gs;

function read(text: string, parse: Type["parse"]): unknown {
  const root: unknown[] = [];
  const open = [root];
  // What comes before it is bounds: `[0:1]={a,b}`.
  for (const [token, quoted, bare] of text.slice(text.indexOf("{")).matchAll(TOKEN)) {
    if (token === "}") {
      open.pop();
      continue;
    }
    const list = open.at(-1) ?? root;
    if (token === "{") {
      const inner: unknown[] = [];
      list.push(inner);
      open.push(inner);
    } else if (bare !== undefined) list.push(bare === "NULL" ? null : parse(bare));
    else list.push(parse((quoted ?? "").replaceAll(/\\(.)/gs, "$1")));
  }
  return root[0];
}

function write(value: unknown, serialize: Type["serialize"]): unknown {
  if (!Array.isArray(value)) return value;
  const items = value.map((item) => {
    if (item === null) return "NULL";
    if (Array.isArray(item)) return write(item, serialize);
    return `"${String(serialize(item)).replaceAll(/["\\]/g, "\\$&")}"`;
  });
  return `{${items.join(",")}}`;
}

/** The array type of an element's. */
export function arrayOf(oid: number, { serialize, parse }: Type): Type {
  return {
    to: oid,
    from: [oid],
    serialize: (value) => write(value, serialize),
    parse: (text) => read(text, parse),
  };
}
