// Errors: the one class of refusals, and how a failed statement of the database becomes one.
import { type DatabaseError, readDatabaseError } from "../../../shared/database_errors.ts";
import { ERROR_CODES, type ErrorCode } from "../../../shared/errors.ts";

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

/** The refusal behind a database error; an error the closed list has no name for stays what it is. */
export function fromDatabase(error: DatabaseError): Error {
  const known = readDatabaseError(error);
  if (!known) return new Error(`${error.code ?? "no code"}: ${error.message}`, { cause: error });
  return new OperationError(known.code, known.message, known.details, { cause: error });
}
