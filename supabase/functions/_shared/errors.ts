// Errors: the one class of refusals, and how a failed statement of the database becomes one.
import { ERROR_CODES, type ErrorCode, isErrorCode } from "../../../shared/errors.ts";

/** A refusal with one code of the closed list. */
export class OperationError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details: Record<string, unknown> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = "OperationError";
  }

  get status(): number {
    return ERROR_CODES[this.code].status;
  }
}

/** What PostgREST says of a failed statement. */
export interface DatabaseError {
  code?: string;
  message: string;
  details?: string | null;
  hint?: string | null;
}

function parseDetails(text: string | null | undefined): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
  } catch {
    return {};
  }
}

/** SQLSTATEs that a caller can cause with values the contract lets through, and what to call them. */
const SQLSTATE_CODES: Record<string, { code: ErrorCode; message: string }> = {
  "42501": { code: "forbidden", message: "You are not allowed to do this." },
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
  "53300": { code: "unavailable", message: "The database is busy; try again." },
  "PGRST301": { code: "unauthorized", message: "The token is not valid." },
  "PGRST303": { code: "unauthorized", message: "The token has expired." },
};

/** The refusal behind a database error: `hint` carries the code that private.refuse() raised. */
export function fromDatabase(error: DatabaseError): Error {
  if (isErrorCode(error.hint)) {
    return new OperationError(error.hint, error.message, parseDetails(error.details));
  }
  const known = SQLSTATE_CODES[error.code ?? ""];
  if (known) {
    return new OperationError(known.code, known.message, {}, { cause: error });
  }
  return new Error(`${error.code ?? "no code"}: ${error.message}`, { cause: error });
}
