// The settings that PostgREST gives the transaction of a request.

/** Statement timeouts of the API roles, in the platform's way. */
const PATIENCE: Record<string, string> = { anon: "3s" };

/** A text as PostgreSQL writes it, under standard_conforming_strings. */
export const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;

/** One statement for any number of transaction-local settings. */
export function settingsSql(settings: Record<string, string>): string {
  const calls = Object.entries(settings).map(([name, value]) => `set_config('${name}',${literal(value)},true)`);
  return `select ${calls.join(",")}`;
}

/** Who asks, and how long they may. */
export function requestSettings(
  role: string,
  claims: Record<string, unknown>,
  searchPath: string,
): Record<string, string> {
  return {
    "role": role,
    "search_path": searchPath,
    "statement_timeout": PATIENCE[role] ?? "8s",
    "request.jwt.claims": JSON.stringify(claims),
    "request.jwt.claim.sub": claims.sub === undefined ? "" : String(claims.sub),
    "request.jwt.claim.role": role,
  };
}

export interface RpcRequest {
  method: string;
  path: string;
  requestHeaders?: Record<string, string>;
}

/** What a function may look at, and where it may say something of its answer. */
export function callSettings({ method, path, requestHeaders = {} }: RpcRequest): Record<string, string> {
  return {
    "response.status": "",
    "response.headers": "",
    "request.method": method,
    "request.path": path,
    "request.headers": JSON.stringify(requestHeaders),
  };
}
