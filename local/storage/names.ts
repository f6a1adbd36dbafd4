// Which names buckets and objects may have. A name is only ever a value in a row: no file path is made from it.
import { invalidBucketName, invalidKey } from "./errors.ts";

const KEY = /^[\w/!\-.*'() &$@=;:+,?]+$/;
const BUCKET = /^[\w!\-.*'() &$@=;:+,?]+$/;
const MAX_KEY_LENGTH = 1024;
const MAX_BUCKET_LENGTH = 100;

/**
 * Checks an object name: 1–1024 characters that are safe in S3 keys. The segments `.` and `..` are refused as well:
 * no URL could reach such an object, because every HTTP client resolves them away.
 */
export function checkObjectName(name: string): string {
  const reachable = !name.split("/").some((segment) => segment === "." || segment === "..");
  if (name.length > MAX_KEY_LENGTH || !KEY.test(name) || !reachable) throw invalidKey(name);
  return name;
}

export function checkBucketName(name: string): string {
  if (name.length > MAX_BUCKET_LENGTH || !BUCKET.test(name) || name.trim() !== name) throw invalidBucketName();
  return name;
}

/** Decodes one percent-encoded part of a URL path; what cannot be decoded is an invalid key. */
export function decodeName(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    throw invalidKey(encoded);
  }
}

/** The placeholder by which the dashboard keeps an otherwise empty folder: always allowed, always without bytes. */
export const isFolderPlaceholder = (name: string): boolean => name.endsWith(".emptyFolderPlaceholder");
