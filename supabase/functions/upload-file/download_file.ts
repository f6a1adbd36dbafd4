// GET /:file_id: a short-lived link to the bytes, good while the caller may read it; for images also to a thumbnail.
import { downloadFile } from "../../../shared/contract/upload-file.ts";
import { callDoor } from "../_shared/database.ts";
import { env } from "../_shared/env.ts";
import { route } from "../_shared/route.ts";
import { hasPlainName, linkFor, readFile, type StoredFile } from "./links.ts";

/** What the platform's image transformation reads. */
const TRANSFORMABLE = /^image\/(png|jpeg|gif|webp|avif|heic|heif|bmp|tiff|x-icon|svg\+xml)$/;
/** How much of an image it reads: 25 MB. An empty file is whatever it is called, and no image. */
const isReadable = (bytes: number) => bytes > 0 && bytes <= 25_000_000;

const hasThumbnails = (file: StoredFile) =>
  env.hasImageTransforms && TRANSFORMABLE.test(file.mime_type ?? "") && isReadable(file.file_size ?? 0) &&
  hasPlainName(file);

export const download = route(downloadFile, async (input, context) => {
  const { file_id, expires_in_seconds, download, ...size } = input;
  const file = readFile(await callDoor(context, "download_file", { file_id }));
  const isAsked = Object.values(size).some((value) => value !== undefined);
  const transformed = isAsked && hasThumbnails(file);
  const link = await linkFor(context, file, {
    seconds: expires_in_seconds,
    download,
    transform: transformed ? size : undefined,
  });
  return { body: { file, ...link, transformed } };
});
