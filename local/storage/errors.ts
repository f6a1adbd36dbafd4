// What Storage answers when it refuses: the platform's codes, statuses and sentences, made and rendered in one place.
import postgres from "postgres";

/** A refusal. `statusCode` is what the body says; the HTTP status is 400 for nearly all of them, as on the platform. */
export class StorageError extends Error {
  constructor(
    readonly statusCode: number,
    readonly code: string,
    message: string,
    readonly error: string = code,
    readonly httpStatus: number = statusCode >= 500 ? statusCode : 400,
    readonly headers: Record<string, string> = {},
  ) {
    super(message);
    this.name = "StorageError";
  }

  toResponse(withBody = true): Response {
    const { code, error, message, statusCode, headers } = this;
    if (!withBody) return new Response(null, { status: this.httpStatus, headers });
    return Response.json({ statusCode: String(statusCode), error, code, message }, {
      status: this.httpStatus,
      headers,
    });
  }
}

export const bucketNotFound = () => new StorageError(404, "NoSuchBucket", "Bucket not found", "Bucket not found");
export const objectNotFound = () => new StorageError(404, "NoSuchKey", "Object not found", "not_found");
export const invalidRequest = (message: string) => new StorageError(400, "InvalidRequest", message);
export const invalidKey = (key: string) => new StorageError(400, "InvalidKey", `Invalid key: ${key}`);
export const invalidBucketName = () =>
  new StorageError(400, "InvalidBucketName", "Bucket name invalid", "Invalid Input");
export const invalidToken = (message: string) => new StorageError(400, "InvalidJWT", message);
export const invalidSignature = () => new StorageError(400, "InvalidSignature", "Invalid signature");
export const bucketNotEmpty = () =>
  new StorageError(409, "ResourceNotEmpty", "The bucket you tried to delete is not empty");
export const tooLarge = (what = "object") =>
  new StorageError(413, "EntityTooLarge", `The ${what} exceeded the maximum allowed size`, "Payload too large");
export const mimeTypeNotAllowed = (type: string) =>
  new StorageError(415, "InvalidMimeType", `mime type ${type} is not supported`, "invalid_mime_type");
/** The one code that keeps its own HTTP status: players and download managers look for it, and for the size beside it. */
export const rangeNotSatisfiable = (size: number) =>
  new StorageError(416, "InvalidRange", "The requested range is not satisfiable", "InvalidRange", 416, {
    "content-range": `bytes */${size}`,
  });
/** For what the platform has and this stack has not; the message names the feature. */
export const notAvailable = (feature: string) =>
  new StorageError(409, "FeatureNotEnabled", `${feature} is not available on the local stack`);

/** Turns an SQLSTATE into the refusal the platform gives for it; anything unknown stays an opaque 500. */
export function fromPostgres(cause: postgres.PostgresError): StorageError {
  switch (cause.code) {
    case "42501": {
      const byPolicy = cause.message.includes("row-level security");
      const message = byPolicy ? "new row violates row-level security policy" : cause.message;
      return new StorageError(403, "AccessDenied", message, "Unauthorized");
    }
    case "23505":
      return new StorageError(409, "KeyAlreadyExists", "The resource already exists", "Duplicate");
    case "23503":
      return new StorageError(404, "InvalidRequest", "The related resource does not exist");
    case "22P02":
      return new StorageError(400, "InvalidParameter", cause.message);
    case "22003": // A number too large,
    case "22007": // no time,
    case "22021": // or a NUL, in text
    case "22P05": // or in JSON.
      return new StorageError(400, "InvalidParameter", "The request holds a value that cannot be stored or looked for");
    case "57014":
      return new StorageError(544, "DatabaseTimeout", "The connection to the database timed out");
    case "42P17":
      return new StorageError(
        503,
        "DatabaseInvalidObjectDefinition",
        "The database schema is invalid or incompatible.",
      );
    default:
      return new StorageError(500, "DatabaseError", `database error, code: ${cause.code}`);
  }
}
