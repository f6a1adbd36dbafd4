// PostgREST's answer to an error of the database: the status that its SQLSTATE means, and the body clients know.
// Source: docs.postgrest.org/en/v13/references/errors.html ("HTTP Status Codes").

export interface DatabaseError {
  code: string;
  message: string;
  detail?: string;
  hint?: string;
}

/** What is refused before the database is asked. */
export abstract class Refused extends Error {
  abstract readonly response: Response;
}

/** Whether the database itself said it. A socket that the database has closed says EPIPE, which only looks like a SQLSTATE. */
export const isSqlState = (code: unknown): code is string =>
  typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) && code !== "EPIPE";

const BY_CODE: Record<string, number> = {
  "23503": 409,
  "23505": 409,
  "25006": 405,
  "42883": 404,
  "42P01": 404,
  "42P17": 500,
  "53400": 500,
  // The server stops, starts or recovers.
  "57P01": 503,
  "57P02": 503,
  "57P03": 503,
  "P0001": 400,
};

const BY_CLASS: Record<string, number> = {
  "08": 503,
  "09": 500,
  "0L": 403,
  "0P": 403,
  "25": 500,
  "28": 403,
  "2D": 500,
  "38": 500,
  "39": 500,
  "3B": 500,
  "40": 500,
  "53": 503,
  "54": 500,
  "55": 500,
  "57": 500,
  "58": 500,
  "F0": 500,
  "HV": 500,
  "P0": 500,
  "XX": 500,
};

/** @param anonymous whether the caller had no token: a missing privilege is then 401 instead of 403 */
export function statusOf(code: string, anonymous: boolean): number {
  if (code === "42501") return anonymous ? 401 : 403;
  const custom = /^PT([2-5]\d\d)$/.exec(code)?.[1];
  if (custom) return Number(custom);
  return BY_CODE[code] ?? BY_CLASS[code.slice(0, 2)] ?? 400;
}

export function errorResponse(error: DatabaseError, anonymous: boolean, headers: Headers): Response {
  const { code, message, detail = null, hint = null } = error;
  const copy = new Headers(headers);
  copy.delete("content-length");
  copy.set("content-type", "application/json; charset=utf-8");
  const body = JSON.stringify({ code, details: detail, hint, message });
  return new Response(body, { status: statusOf(code, anonymous), headers: copy });
}
