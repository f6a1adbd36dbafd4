// What PostgreSQL cannot store, or JavaScript would change in silence, is refused here, before anything is written.

const MAX_DEPTH = 100;

/**
 * Names of one object. PostgreSQL sorts them to keep the object, and looks for no cancellation meanwhile: in an order
 * that is made for it, 20,000 take a fifth of a second, but 400,000 two minutes whatever limit the statement has.
 */
const MAX_NAMES = 20_000;

/** The first fault of a parsed JSON value as a path and a reason, or null. */
export interface Fault {
  path: string;
  message: string;
}

/** Looks at every value and name. A path is worked out only when there is a fault to name. */
export function findUnstorable(root: unknown): Fault | null {
  const message = faultWithin(root, 0);
  return message ? { path: pathOf(root, message), message } : null;
}

/** The first fault of a value and what it holds. Calls itself, as depth has a limit: so nothing piles up on the way. */
function faultWithin(value: unknown, depth: number): string | null {
  if (typeof value !== "object" || value === null) return faultOf(value);
  if (depth > MAX_DEPTH) return `is nested more than ${MAX_DEPTH} levels deep`;
  let message: string | null = null;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length && !message; index++) message = faultWithin(value[index], depth + 1);
    return message;
  }
  const names = Object.keys(value);
  message = faultOfSize(names.length);
  for (let index = 0; index < names.length && !message; index++) {
    const name = names[index] ?? "";
    message = faultOfName(name) ?? faultWithin(Reflect.get(value, name), depth + 1);
  }
  return message;
}

function faultOf(value: unknown): string | null {
  if (typeof value === "string") {
    if (value.includes("\0")) return "contains a NUL character";
    if (!value.isWellFormed()) return "contains half of a surrogate pair";
  }
  if (typeof value === "number") {
    if (!Number.isFinite(value)) return "is a number too large to keep";
    if (Number.isInteger(value) && !Number.isSafeInteger(value)) return "is a whole number too large to keep exactly";
  }
  return null;
}

function faultOfName(key: string): string | null {
  const fault = key === "__proto__" ? "cannot be stored" : faultOf(key);
  return fault && `has a name that ${fault}`;
}

const faultOfSize = (names: number) => names > MAX_NAMES ? `has more than ${MAX_NAMES} names` : null;

/** Where the fault is: the same walk once more, remembering the way. Depth is bounded by MAX_DEPTH. */
function pathOf(root: unknown, message: string): string {
  const search = (value: unknown, path: string[]): string[] | null => {
    if (typeof value !== "object" || value === null) return faultOf(value) === message ? path : null;
    if (path.length > MAX_DEPTH) return path;
    if (!Array.isArray(value) && faultOfSize(Object.keys(value).length) === message) return path;
    for (const key in value) {
      if (!Object.hasOwn(value, key)) continue;
      if (!Array.isArray(value) && faultOfName(key) === message) return path;
      const found = search(Reflect.get(value, key), [...path, key]);
      if (found) return found;
    }
    return null;
  };
  return (search(root, []) ?? []).join(".");
}
