// Short-lived links to a file's bytes, and what an answer says of a file.
import type { z } from "zod";
import { file as fileShape, LINK_SECONDS } from "../../../shared/contract/upload-file.ts";
import { type AppContext, callerId } from "../_shared/auth.ts";
import { env } from "../_shared/env.ts";
import { OperationError } from "../_shared/errors.ts";
import type { serviceClient } from "../_shared/service.ts";
import { writeLink } from "./link_token.ts";

export type Client = ReturnType<typeof serviceClient>;
export type StoredFile = z.output<ReturnType<typeof fileShape>>;
export interface Transform {
  width?: number;
  height?: number;
  resize?: "cover" | "contain" | "fill";
  quality?: number;
}

/** The file in a door's answer. */
export const readFile = (answer: unknown): StoredFile => fileShape().parse((answer as { file?: unknown })?.file);

/** The download's name goes into the query by its own encoding, so that no character of it can mean anything there. */
const named = (url: string, name: string) => `${url}&download=${encodeURIComponent(name)}`;

/** Links must stay with whoever came: neither kept on the way nor told to the next page nor found by a search. */
export const PRIVATE = { "cache-control": "no-store", "referrer-policy": "no-referrer", "x-robots-tag": "noindex" };

/** A name may hold what means something else in an address (`?`), or is lost at its end (a space). */
const addressOf = (name: string) => name.split("/").map(encodeURIComponent).join("/");
/** For Storage, which undoes no more than `decodeURI` does before it signs. */
const addressToSign = (name: string) => encodeURI(name).replaceAll("?", "%3F").replaceAll("#", "%23");

/** Has a name in an address only what Storage signs as it is? What is not so has no link to a thumbnail. */
export const hasPlainName = ({ file_path }: Pick<StoredFile, "file_path">) => !/[?#]/.test(file_path);

/**
 * Storage's own link to an object, which works until it ends. Throws `unavailable` where Storage makes none. Only its
 * token is Storage's: in the address that comes with it the name is not encoded.
 */
export async function signLink(
  client: Client,
  { bucket_name, file_path }: Pick<StoredFile, "bucket_name" | "file_path">,
  { seconds = LINK_SECONDS, saveAs, transform, origin = env.publicUrl }: {
    seconds?: number;
    saveAs?: string;
    transform?: Transform;
    /** Whose link it is: anybody's, or the function's own. */
    origin?: string;
  } = {},
): Promise<string> {
  const bucket = client.storage.from(bucket_name);
  const { address, error } = transform
    ? await bucket.createSignedUrl(addressToSign(file_path), seconds, { transform })
      .then(({ data, error }) => ({ address: data?.signedUrl, error }))
    // A list takes names as they are.
    : await bucket.createSignedUrls([file_path], seconds)
      .then(({ data, error }) => ({ address: data?.[0]?.signedUrl, error: error ?? data?.[0]?.error }));
  if (!address) {
    throw new OperationError("unavailable", "The file is stored, but no link could be made.", {}, { cause: error });
  }
  const token = address.slice(address.lastIndexOf("?token="));
  const way = transform ? "render/image" : "object";
  const url = `${origin}/storage/v1/${way}/sign/${bucket_name}/${addressOf(file_path)}${token}`;
  return saveAs === undefined ? url : named(url, saveAs);
}

/** A link for the caller to hand on, which also ends when the caller may no longer read the file. */
export async function linkFor(
  context: AppContext,
  { id }: Pick<StoredFile, "id">,
  { seconds = LINK_SECONDS, ...how }: { seconds?: number; download?: boolean; transform?: Transform } = {},
): Promise<{ signed_url: string; expires_at: string }> {
  const expires = Date.now() + seconds * 1000;
  const token = await writeLink({ file_id: id, user_id: callerId(context), expires, ...how });
  const signed_url = `${env.publicUrl}/functions/v1/upload-file/content/${token}`;
  return { signed_url, expires_at: new Date(expires).toISOString() };
}
