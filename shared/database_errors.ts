// What a failed statement of the database means in the closed list: `hint` carries the code that private.refuse() raised,
// and some SQLSTATEs have a name of their own. Functions and clients read the same answers of the Data API.
import { type ErrorCode, isErrorCode } from "./errors.ts";

/** What PostgREST says of a failed statement. */
export interface DatabaseError {
  code?: string;
  message: string;
  details?: string | null;
  hint?: string | null;
}

/** SQLSTATEs that a caller can cause with values the contract lets through, and what to call them. */
const SQLSTATE_CODES: Record<string, { code: ErrorCode; message: string }> = {
  "42501": { code: "forbidden", message: "You are not allowed to do this." },
  "23503": { code: "unavailable", message: "Something this belongs to was just being deleted; try again." },
  "23514": { code: "validation_failed", message: "A value is not allowed here." },
  "22007": { code: "validation_failed", message: "A time is not allowed here." },
  "22008": { code: "validation_failed", message: "A time is not allowed here." },
  "22009": { code: "validation_failed", message: "A time has an offset that is not allowed." },
  "22P05": { code: "validation_failed", message: "Text must not contain NUL or broken Unicode." },
  "22021": { code: "validation_failed", message: "Text must not contain NUL or broken Unicode." },
  "54000": { code: "payload_too_large", message: "The data is more than one value can hold." },
  "54001": { code: "validation_failed", message: "The JSON is nested too deeply." },
  "40P01": { code: "unavailable", message: "Two changes got in each other's way; try again." },
  "40001": { code: "unavailable", message: "Two changes got in each other's way; try again." },
  "57014": { code: "unavailable", message: "The database took too long; try again." },
  "55P03": { code: "unavailable", message: "Somebody else is at it this very moment; try again." },
  "57P01": { code: "unavailable", message: "The database is restarting; try again." },
  "57P02": { code: "unavailable", message: "The database is restarting; try again." },
  "57P03": { code: "unavailable", message: "The database is restarting; try again." },
  "53300": { code: "unavailable", message: "The database is busy; try again." },
  "53100": { code: "unavailable", message: "The database has no room left; try again later." },
  "53200": { code: "unavailable", message: "The database has no memory left; try again later." },
  // So the platform keeps a database from filling its disk, as it does while another server takes its place.
  "25006": { code: "unavailable", message: "The database takes no changes now; try again later." },
  "PGRST301": { code: "unauthorized", message: "The token is not valid." },
  "PGRST303": { code: "unauthorized", message: "The token has expired." },
};

function parseDetails(text: string | null | undefined): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
  } catch {
    return {};
  }
}

/** The code, sentence and details behind a database error, or nothing where the list has no name for it. */
export function readDatabaseError(
  error: DatabaseError,
): { code: ErrorCode; message: string; details: Record<string, unknown> } | undefined {
  if (isErrorCode(error.hint)) {
    return { code: error.hint, message: error.message, details: parseDetails(error.details) };
  }
  const known = SQLSTATE_CODES[error.code ?? ""];
  return known && { ...known, details: {} };
}
