// Short-lived links to a file's bytes, and what an answer says of a file.
import type { z } from "zod";
import { file as fileShape, LINK_SECONDS } from "../../../shared/contract/upload-file.ts";
import { OperationError } from "../_shared/errors.ts";
import type { serviceClient } from "../_shared/service.ts";

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

/** A link to an object, as whoever's client this is. Throws `unavailable` where Storage makes none. */
export async function signLink(
  client: Client,
  { bucket_name, file_path }: Pick<StoredFile, "bucket_name" | "file_path">,
  { seconds = LINK_SECONDS, saveAs, transform }: { seconds?: number; saveAs?: string; transform?: Transform } = {},
): Promise<{ signed_url: string; expires_at: string }> {
  const { data, error } = await client.storage.from(bucket_name).createSignedUrl(file_path, seconds, { transform });
  if (error) {
    throw new OperationError("unavailable", "The file is stored, but no link could be made.", {}, { cause: error });
  }
  const expires_at = new Date(Date.now() + seconds * 1000).toISOString();
  return { signed_url: saveAs === undefined ? data.signedUrl : named(data.signedUrl, saveAs), expires_at };
}
