// What a file's first bytes say it is, against what its sender says: a lie is refused.
import { OperationError } from "../_shared/errors.ts";
import { SAMPLE_BYTES } from "./file_stream.ts";
import "./inflation.ts";
import { essenceOf, nameOf } from "./media_type_names.ts";

const GENERIC = /^$|^(application|binary)\/(octet-stream|x-binary|unknown)$/;
const TEXTUAL = /^text\/|[/+](xml|json|javascript|ecmascript|typescript|yaml|toml|sql|rtf|x-sh|x-subrip|x-httpd-php)$/;
/** What shows itself by its bytes, or is nothing that a browser would open as that. */
const MEDIA = /^(image|audio|video|font)\//;
/** The library knows these by a mark that not every file of the kind begins with. */
const UNMARKED = /^(model\/stl|application\/(pgp-encrypted|x-ms-regedit|x-apple-diskimage))$/;

/** What a file may be called in general, whose bytes show more; never the other way round. */
const GENERAL: Record<string, RegExp> = {
  "application/zip":
    /^application\/(epub\+zip|x-xpinstall|java-archive|vnd\.(openxmlformats-|oasis\.|ms-.*\.macroenabled|android\.package|visio|apple\.))|^model\/3mf$/,
  "application/xml": /^image\/svg\+xml$/,
  "application/postscript": /^application\/eps$/,
  "font/sfnt": /^font\/(ttf|otf|collection)$/,
  "image/tiff": /^image\/x-(canon-cr2|olympus-orf|sony-arw|adobe-dng|nikon-nef|panasonic-rw2)$/,
  "text/plain": /^text\/|^application\/(rtf|postscript|eps|pgp-encrypted|x-ms-regedit)$|^model\/stl$/,
  "video/matroska": /^video\/webm$/,
  "audio/matroska": /^video\/(matroska|webm)$/,
  "audio/webm": /^video\/webm$/,
};
/** One container, whose mark does not say what was put into it, or says it in several ways. */
const FAMILIES = [
  /^((audio|video|application)\/mp4|(audio|video)\/(x-m4[abpv]|3gpp2?)|video\/quicktime)$/,
  /^((audio|video|application)\/ogg|audio\/(opus|vorbis|speex))$/,
  /^((audio|video)\/x-ms-(asf|wm[av])|application\/vnd\.ms-asf)$/,
];
/** Formats that the library does not know, each a file of another format with an agreement about what is in it. */
const INSIDE: Record<string, RegExp> = {
  "application/zip": /^application\/(vnd\.|x-(cbz|krita|itunes-ipa)$|.*\+zip$)|^model\//,
  "application/gzip": /^application\/(x-(tgz|gtar|compressed(-tar)?)$|.*\+gzip$)/,
  "application/x-bzip2": /^application\/x-bzip2?-compressed-tar$/,
  "application/x-xz": /^application\/x-xz-compressed-tar$/,
  "application/zstd": /^application\/x-zstd-compressed-tar$/,
  "application/x-cfb":
    /^application\/(msword|vnd\.ms-(excel|powerpoint|project|publisher|works)|x-msi|x-ole-storage|x-hwp)$/,
  // Office writes its old formats as XML or RTF, too, and calls them as before.
  "application/xml": /^text\/|[/+]xml$|^application\/(msword$|x-plist$|vnd\.)/,
  "application/rtf": /^application\/msword$/,
};
/** Formats of which the library knows another kind as well, so that these bytes are no lie. */
const ALSO: Record<string, RegExp> = { "application/x-cfb": /^application\/vnd\.(visio|ms-outlook)$/ };
/** Formats whose mark may come after more of the zip than was looked at. */
const LATE = /^application\/(x-xpinstall|java-archive|vnd\.(android\.package-archive|apple\.(keynote|numbers|pages)))$/;
const NO_MARK_YET = /^application\/(zip|java-archive|vnd\.apple\.pages)$/;

/** The type that the bytes show, or undefined where they could be anything. */
async function sniff(sample: Uint8Array): Promise<string | undefined> {
  const { fileTypeFromBuffer } = await import("file-type");
  const found = await fileTypeFromBuffer(sample).catch(() => undefined);
  if (!found) return isTiff(sample) ? "image/tiff" : undefined;
  return essenceOf(found.mime);
}

/** What a TIFF holds is listed at its end more often than not, behind what was looked at: the library gives up there. */
function isTiff(sample: Uint8Array): boolean {
  const mark = sample.subarray(0, 4).join();
  return sample.byteLength >= SAMPLE_BYTES && (mark === "73,73,42,0" || mark === "77,77,0,42");
}

/** Can the library tell files of this type by their bytes? */
async function isKnown(name: string): Promise<boolean> {
  const { supportedMimeTypes } = await import("file-type");
  return [...supportedMimeTypes].some((type) => nameOf(essenceOf(type)) === name);
}

function isText(sample: Uint8Array): boolean {
  const [first, second] = sample;
  const hasWideMark = first === 0xff && second === 0xfe || first === 0xfe && second === 0xff;
  return hasWideMark || !sample.includes(0);
}

/** May a file that shows this be called that? */
async function agrees(says: string, is: string, sample: Uint8Array): Promise<boolean> {
  if (says === is || GENERAL[says]?.test(is) || ALSO[is]?.test(says)) return true;
  if (FAMILIES.some((family) => family.test(says) && family.test(is))) return true;
  if (LATE.test(says) && NO_MARK_YET.test(is) && sample.byteLength >= SAMPLE_BYTES) return true;
  return INSIDE[is]?.test(says) === true && (TEXTUAL.test(says) || !await isKnown(says));
}

/** Must bytes in which nothing was recognised be something else? Says what they are then. */
async function denies(says: string, sample: Uint8Array): Promise<string | undefined> {
  if (TEXTUAL.test(says)) return isText(sample) ? undefined : "no text";
  if (UNMARKED.test(says) || !MEDIA.test(says) && !await isKnown(says)) return undefined;
  return isText(sample) ? "text" : "something else";
}

/**
 * The type to keep for a file: what the bytes show where the sender says nothing in particular, else what both agree on.
 * An empty file is whatever it is called. Throws `validation_failed` for a type that is not true.
 */
export async function trueType(declared: string, sample: Uint8Array): Promise<string> {
  const says = essenceOf(declared);
  const found = sample.byteLength > 0 ? await sniff(sample) : undefined;
  if (GENERIC.test(says)) return found ?? "application/octet-stream";
  if (sample.byteLength === 0) return says;
  const [name, shown] = [nameOf(says), found && nameOf(found)];
  if (found && shown && await agrees(name, shown, sample)) return name === shown ? found : says;
  const is = found ?? await denies(name, sample);
  if (is === undefined) return says;
  const message = `is called ${says}, but its bytes are ${is}`;
  throw new OperationError("validation_failed", `The file ${message}.`, { fields: [{ path: "file", message }] });
}

/** May Storage serve as `stored` what is kept as `kept`? What clients send by default says nothing, and shows nothing. */
export function servesAs(stored: string, kept: string): boolean {
  const says = essenceOf(stored);
  return GENERIC.test(says) || says === "text/plain" || nameOf(says) === nameOf(essenceOf(kept));
}
