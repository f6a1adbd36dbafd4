// Images in another size or format, as the platform's /render/image makes them: nothing is enlarged, and what says no
// `format=origin` becomes WebP for whoever accepts that.
import { z } from "zod";
import { bucketIsPublic, objectHeaders } from "./download.ts";
import { asService } from "./database.ts";
import { bucketNotFound, invalidRequest } from "./errors.ts";
import type { Call, Operation, Services } from "./request.ts";
import { type StoredObject, withStoredObject } from "./stored.ts";

/** The platform's limits for what is transformed. */
const MAX_SOURCE_BYTES = 25 * 1024 * 1024;
const MAX_SOURCE_PIXELS = 50_000_000;
/** What is made of an image where nothing else is asked for. Types that sharp's own build cannot read are not here. */
const FORMATS: Record<string, "png" | "jpeg" | "gif" | "webp" | "avif" | "tiff"> = {
  "image/png": "png",
  "image/jpeg": "jpeg",
  "image/gif": "gif",
  "image/webp": "webp",
  "image/avif": "avif",
  "image/tiff": "tiff",
  "image/svg+xml": "png",
};
const FITS = { cover: "cover", contain: "inside", fill: "fill" } as const;

const side = z.coerce.number().int().min(1).max(2500).optional();

/** What may be asked for, in a query or when a link is signed. */
export const transformation = z.object({
  width: side,
  height: side,
  resize: z.enum(["cover", "contain", "fill"]).default("cover"),
  quality: z.coerce.number().int().min(20).max(100).default(80),
  format: z.enum(["origin"]).optional(),
});
export type Transformation = z.infer<typeof transformation>;

/** GET /render/image/authenticated/:bucket/* */
export const renderObject: Operation = async (call, services) => {
  const isPublic = await bucketIsPublic(call, services);
  if (isPublic === undefined) throw bucketNotFound();
  return await render(isPublic ? asked(call) : call, services, readQuery(call));
};

/** GET /render/image/public/:bucket/* */
export const renderPublicObject: Operation = async (call, services) => {
  if (!await bucketIsPublic(call, services)) throw bucketNotFound();
  return await render(asked(call), services, readQuery(call));
};

/** GET /render/image/sign/:bucket/*?token=: the token says what is made, so nobody can make it say more. */
export const renderSignedObject: Operation = async (call, services) => {
  const token = call.url.searchParams.get("token");
  if (!token) throw invalidRequest("querystring must have required property 'token'");
  const { exp, transform } = await services.tokens.verify(token, "download", `${call.bucket}/${call.object}`);
  return await render(asked(call), services, transformation.parse(transform ?? {}), new Date(exp * 1000));
};

/** The call with the rights of the service: somebody else has decided. */
const asked = (call: Call): Call => ({ ...call, scope: asService(call.scope) });

function readQuery({ url }: Call): Transformation {
  const parsed = transformation.safeParse(Object.fromEntries(url.searchParams));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw invalidRequest(`querystring/${issue?.path.join("/") ?? ""} ${issue?.message ?? "is invalid"}`);
}

function render(call: Call, services: Services, wanted: Transformation, expires?: Date): Promise<Response> {
  return withStoredObject(services, call.scope, call.bucket, call.object, async (object) => {
    const { body, type } = await transform(object, services, wanted, call.request.headers.get("accept") ?? "");
    const headers = objectHeaders(object, call.url, expires);
    headers.delete("accept-ranges");
    headers.delete("etag");
    headers.set("content-type", type);
    headers.set("vary", "Accept");
    headers.set("content-length", String(body.byteLength));
    return new Response(call.request.method === "HEAD" ? null : body, { headers });
  });
}

/** By the first image: the stack starts without, and runs where there is no build of it. */
const loadSharp = () =>
  import("sharp").then((module) => module.default, (cause) => {
    console.warn("Images are sent as they are, since sharp cannot be loaded:", cause);
    return null;
  });

/** On the platform an image is what its bytes are, whatever it was sent as. */
async function typeByBytes(source: Uint8Array): Promise<string | undefined> {
  const sharp = await loadSharp();
  const format = await sharp?.(source).metadata().then((found) => found.format, () => undefined);
  // Of HEIF, sharp's own build reads what AVIF is.
  const subtype = format === "heif" ? "avif" : format;
  return Object.keys(FORMATS).find((type) => type === `image/${subtype}` || type === `image/${subtype}+xml`);
}

async function transform(
  { metadata, version }: StoredObject,
  { files }: Services,
  wanted: Transformation,
  accept: string,
) {
  if (metadata.size > MAX_SOURCE_BYTES) throw invalidRequest("The requested image exceeds the maximum size of 25 MB");
  // Bytes and no path: an SVG may include what lies beside it, which is other people's objects.
  const source = await Deno.readFile(files.path(version));
  const mimetype = metadata.mimetype.startsWith("image/") ? metadata.mimetype : await typeByBytes(source);
  if (!mimetype) throw invalidRequest("The requested object is not an image");
  const sharp = FORMATS[mimetype] && await loadSharp();
  if (!sharp) return { body: source, type: mimetype };
  const { width, height, resize, quality, format } = wanted;
  const isWebp = format !== "origin" && accept.includes("image/webp");
  const image = sharp(source, { animated: true, limitInputPixels: MAX_SOURCE_PIXELS }).autoOrient();
  if (width || height) image.resize({ width, height, fit: FITS[resize], withoutEnlargement: resize !== "fill" });
  const target = isWebp ? "webp" : FORMATS[mimetype] ?? "png";
  try {
    const body = await image.toFormat(target, target === "gif" ? {} : { quality }).toBuffer();
    return { body: new Uint8Array(body), type: `image/${target}` };
  } catch (cause) {
    throw invalidRequest(
      `The requested image cannot be transformed: ${cause instanceof Error ? cause.message : cause}`,
    );
  }
}
