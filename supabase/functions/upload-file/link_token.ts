// What a link to a file carries: which file, who asked, until when. Signed with the function's secret key, so that no row
// is kept of it and nobody can change it.
import { lazy } from "../../../shared/contract/operation.ts";
import * as z from "zod";
import { id } from "../../../shared/contract/values.ts";
import { env } from "../_shared/env.ts";
import { OperationError } from "../_shared/errors.ts";

const linkShape = lazy(() =>
  z.object({
    file_id: id(),
    /** Who asked for it; null: a worker. */
    user_id: id().nullable(),
    /** In milliseconds since 1970. */
    expires: z.int(),
    /** Saved under the file's name, instead of shown. */
    download: z.boolean().optional(),
    /** A thumbnail of an image. */
    transform: z.object({
      width: z.int().optional(),
      height: z.int().optional(),
      resize: z.enum(["cover", "contain", "fill"]).optional(),
      quality: z.int().optional(),
    }).optional(),
  })
);
export type Link = z.output<ReturnType<typeof linkShape>>;

const encoder = new TextEncoder();
const HMAC = { name: "HMAC", hash: "SHA-256" };

/** Of its own kind: what else may be signed with the secret key is no link. */
const key = lazy(() =>
  crypto.subtle.importKey("raw", encoder.encode(`link to a file\n${env.secretKey}`), HMAC, false, ["sign", "verify"])
);

const encode = (bytes: Uint8Array) =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const decode = (text: string) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

/** The link as a part of an address. */
export async function writeLink(link: Link): Promise<string> {
  const body = encode(encoder.encode(JSON.stringify(link)));
  return `${body}.${encode(new Uint8Array(await crypto.subtle.sign(HMAC, await key(), encoder.encode(body))))}`;
}

/** The link again. Throws `file_not_found` for one that was changed, or has ended. */
export async function readLink(token: string): Promise<Link> {
  const [body = "", signature = ""] = token.split(".");
  const link = await verify(body, signature).catch(() => null);
  if (!link || link.expires <= Date.now()) {
    throw new OperationError("file_not_found", "There is no such link, or it has ended; ask for a new one.");
  }
  return link;
}

async function verify(body: string, signature: string): Promise<Link | null> {
  const isOurs = await crypto.subtle.verify(HMAC, await key(), decode(signature), encoder.encode(body));
  return isOurs ? linkShape().parse(JSON.parse(new TextDecoder().decode(decode(body)))) : null;
}
