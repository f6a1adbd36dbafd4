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

/**
 * Looks at every value and name. Holds only the containers still to be looked at, so a body of millions of numbers
 * costs no memory; a path is worked out only when there is a fault to name.
 */
export function findUnstorable(root: unknown): Fault | null {
  const pending: object[] = [];
  const depths: number[] = [];
  const visit = (value: unknown, depth: number): string | null => {
    if (typeof value !== "object" || value === null) return faultOf(value);
    if (depth > MAX_DEPTH) return `is nested more than ${MAX_DEPTH} levels deep`;
    pending.push(value);
    depths.push(depth);
    return null;
  };
  let message = visit(root, 0);
  for (let container = pending.pop(); container && !message; container = pending.pop()) {
    const depth = (depths.pop() ?? 0) + 1;
    if (Array.isArray(container)) {
      for (let index = 0; index < container.length && !message; index++) message = visit(container[index], depth);
    } else {
      const members = Object.entries(container);
      message = faultOfSize(members.length);
      if (message) break;
      for (const [key, child] of members) {
        message = faultOfName(key) ?? visit(child, depth);
        if (message) break;
      }
    }
  }
  return message ? { path: pathOf(root, message), message } : null;
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
