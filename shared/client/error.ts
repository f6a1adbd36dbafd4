// The one error of the client: whatever refused, the function, the database or the network, it has a code of the closed list.
import type { FunctionsError, PostgrestSingleResponse } from "@supabase/supabase-js";
import { readDatabaseError } from "../database_errors.ts";
import { ERROR_CODES, type ErrorBody, type ErrorCode, isErrorCode } from "../errors.ts";

/**
 *     try {
 *       await genesis.saveArtifact({ …, base_version: 3 });
 *     } catch (error) {
 *       if (error instanceof GenesisError && error.code === "artifact_conflict") show(error.details);
 *     }
 */
export class GenesisError extends Error {
  override readonly name = "GenesisError";
  constructor(
    readonly code: ErrorCode,
    message: string,
    /** What the code's meaning promises, e.g. `fields` of validation_failed, head and hunks of artifact_conflict. */
    readonly details: Record<string, unknown> = {},
    /** To find the request in the logs; null where no function answered. */
    readonly request_id: string | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  get status(): number {
    return ERROR_CODES[this.code].status;
  }

  /** Would the same request, sent again later, have a chance? */
  get isTransient(): boolean {
    return this.status >= 500 || this.code === "request_timeout";
  }
}

const UNREACHABLE = "The backend cannot be reached; try again.";

/** What the platform's own services say has a status and no code of ours. */
export function codeOfStatus(status: number): ErrorCode {
  if (status === 401) return "unauthorized";
  if (status === 403) return "forbidden";
  if (status === 404) return "route_not_found";
  if (status === 408) return "request_timeout";
  if (status === 413) return "payload_too_large";
  if (status === 429 || status >= 502) return "unavailable";
  return status >= 500 ? "internal" : "validation_failed";
}

async function ofResponse(response: Response): Promise<GenesisError> {
  const text = await response.text().catch(() => "");
  let body: Partial<ErrorBody> = {};
  try {
    body = JSON.parse(text);
  } catch {
    // A proxy's page, not ours.
  }
  const requestId = response.headers.get("x-request-id");
  if (isErrorCode(body?.error?.code)) {
    const { code, message, details, request_id } = body.error;
    return new GenesisError(code, message, details, request_id ?? requestId);
  }
  const message = `The backend answered ${response.status}.`;
  return new GenesisError(codeOfStatus(response.status), message, {}, requestId, { cause: text.slice(0, 1000) });
}

/** Makes the error of whatever supabase-js gave back or threw. */
export async function toGenesisError(error: unknown): Promise<GenesisError> {
  if (error instanceof GenesisError) return error;
  // By what they carry and not by class: an app may have another copy of supabase-js than this file.
  const { context, name }: Partial<FunctionsError> = error instanceof Error ? error : {};
  if (context instanceof Response) return await ofResponse(context);
  if (name === "FunctionsFetchError") {
    return new GenesisError("unavailable", UNREACHABLE, {}, null, { cause: context });
  }
  if (error instanceof Error && (error.name === "AbortError" || error.name === "TimeoutError")) {
    return new GenesisError("unavailable", "The request was given up.", {}, null, { cause: error });
  }
  return new GenesisError("internal", error instanceof Error ? error.message : String(error), {}, null, {
    cause: error,
  });
}

/** The data of a Data API answer. Throws a GenesisError where it has none. */
export function dataOf<Data>(answer: PostgrestSingleResponse<Data>): Data {
  const { error } = answer;
  if (!error) return answer.data;
  const known = readDatabaseError(error);
  // The Data API says so of who may do nothing for want of an account, with the same SQLSTATE as of who has one.
  if (known?.code === "forbidden" && answer.status === 401) {
    throw new GenesisError("unauthorized", "Nobody is signed in.", {}, null, { cause: error });
  }
  if (known) throw new GenesisError(known.code, known.message, known.details, null, { cause: error });
  // postgrest-js answers status 0 when nobody was there.
  if (!answer.status) throw new GenesisError("unavailable", UNREACHABLE, {}, null, { cause: error });
  throw new GenesisError(codeOfStatus(answer.status), error.message, {}, null, { cause: error });
}

/** What Storage answers. */
interface Stored<Data> {
  data: Data | null;
  error: (Error & { status?: number | undefined }) | null;
}

/** The same for Storage, where a refusal by policy looks like a missing file. */
export function storedOf<Data>({ data, error }: Stored<Data>): Data {
  if (data !== null) return data;
  const status = error?.status;
  const message = error?.message ?? "Storage answered nothing.";
  if (!status) throw new GenesisError("unavailable", UNREACHABLE, {}, null, { cause: error });
  const isMissing = status === 404 || /not.?found/i.test(message);
  throw new GenesisError(isMissing ? "file_not_found" : codeOfStatus(status), message, {}, null, {
    cause: error,
  });
}
