// What PostgreSQL cannot store, or JavaScript would change in silence, is refused here, before anything is written.

const MAX_DEPTH = 100;

/** The first fault of a parsed JSON value as a path and a reason, or null. Iterative, so depth cannot break it. */
export function findUnstorable(root: unknown): { path: string; message: string } | null {
  const pending: { value: unknown; path: string; depth: number }[] = [{
    value: root,
    path: "",
    depth: 0,
  }];
  for (let item = pending.pop(); item; item = pending.pop()) {
    const { value, path, depth } = item;
    const message = depth > MAX_DEPTH ? `is nested more than ${MAX_DEPTH} levels deep` : faultOf(value);
    if (message) return { path, message };
    if (typeof value !== "object" || value === null) continue;
    for (const [key, child] of Object.entries(value)) {
      const childPath = path === "" ? key : `${path}.${key}`;
      const keyFault = key === "__proto__" ? "is a name that cannot be stored" : faultOf(key);
      if (keyFault) {
        return {
          path: path === "" ? "(a name)" : path,
          message: `has a name that ${keyFault}`,
        };
      }
      pending.push({ value: child, path: childPath, depth: depth + 1 });
    }
  }
  return null;
}

function faultOf(value: unknown): string | null {
  if (typeof value === "string") {
    if (value.includes("\0")) return "contains a NUL character";
    if (!value.isWellFormed()) return "contains half of a surrogate pair";
  }
  if (typeof value === "number" && !Number.isFinite(value)) {
    return "is a number too large to keep";
  }
  return null;
}
