// What a file's first bytes say it is, against what its sender says: a lie is refused.
import { OperationError } from "../_shared/errors.ts";

const GENERIC = /^$|^(application|binary)\/(octet-stream|x-binary|unknown)$/;
const TEXTUAL = /^text\/|[/+](xml|json|javascript|ecmascript|typescript|yaml|toml|sql|rtf|x-sh|x-subrip|x-httpd-php)$/;
/** Types whose files begin in one way or a few, so that one which does not is something else. */
const HAS_SIGNATURE = /^(image|font)\/|^application\/(pdf|zip|gzip|wasm|x-7z-compressed|x-rar-compressed|vnd\.rar)$/;
/** Several names for one thing, each led to the name by which it is found. */
const SAME: [RegExp, string][] = [
  [/^image\/p?jpe?g$/, "image/jpeg"],
  [/^image\/(x-png|apng)$/, "image/png"],
  [/^image\/hei[cf](-sequence)?$/, "image/heif"],
  [/^image\/(x-icon|vnd\.microsoft\.icon)$/, "image/x-icon"],
  [/^image\/(x-ms-)?bmp$/, "image/bmp"],
  [/^application\/(x-)?zip(-compressed)?$/, "application/zip"],
  [/^application\/(x-)?gzip$/, "application/gzip"],
  [/^application\/(x-rar-compressed|x-rar|vnd\.rar)$/, "application/x-rar-compressed"],
  [/^(text|application)\/xml$/, "application/xml"],
  [/^(application|text)\/(x-)?rtf$/, "application/rtf"],
  [/^(application\/(x-)?font-|font\/)(otf|ttf|woff2?)$/, "font/$3"],
];
/** Formats that are files of another format with an agreement about what is in them. */
const INSIDE: Record<string, RegExp> = {
  "application/zip": /^application\/(vnd\.|x-|java-archive$|epub|.*\+zip$)|^model\//,
  "application/gzip": /^application\/(x-|.*\+gzip$)|^image\/svg\+xml$/,
  "application/x-cfb": /^application\/(msword$|vnd\.|x-)/,
  "application/xml": TEXTUAL,
};

const essenceOf = (type: string) => (type.split(";")[0] ?? "").trim().toLowerCase();

function nameOf(type: string): string {
  for (const [pattern, name] of SAME) if (pattern.test(type)) return type.replace(pattern, name);
  return type;
}

/** The type that the bytes show, or undefined where they could be anything. */
async function sniff(sample: Uint8Array): Promise<string | undefined> {
  const { fileTypeFromBuffer } = await import("file-type");
  const found = await fileTypeFromBuffer(sample).catch(() => undefined);
  return found && essenceOf(found.mime);
}

function isText(sample: Uint8Array): boolean {
  const [first, second] = sample;
  const hasWideMark = first === 0xff && second === 0xfe || first === 0xfe && second === 0xff;
  return hasWideMark || !sample.includes(0);
}

/** May a file that shows this be called that? */
function agrees(declared: string, found: string): boolean {
  const [says, is] = [nameOf(declared), nameOf(found)];
  if (says === is) return true;
  // One container carries both, and which it is stands far inside.
  if (/^(audio|video)\//.test(says) && /^(audio|video)\/|^application\/(ogg|mp4|vnd\.ms-asf|x-matroska)/.test(is)) {
    return true;
  }
  if (TEXTUAL.test(says) && TEXTUAL.test(is)) return true;
  return INSIDE[is]?.test(says) || INSIDE[says]?.test(is) || false;
}

/**
 * The type to keep for a file: what the bytes show where the sender says nothing in particular, else what both agree on.
 * An empty file is whatever it is called. Throws `validation_failed` for a type that is not true.
 */
export async function trueType(declared: string, sample: Uint8Array): Promise<string> {
  const says = essenceOf(declared);
  const found = sample.byteLength > 0 ? await sniff(sample) : undefined;
  if (GENERIC.test(says)) return found ?? "application/octet-stream";
  const lie = (is: string) => {
    const message = `is called ${says}, but its bytes are ${is}`;
    return new OperationError("validation_failed", `The file ${message}.`, { fields: [{ path: "file", message }] });
  };
  if (found) {
    if (!agrees(says, found)) throw lie(found);
    return nameOf(says) === nameOf(found) ? found : says;
  }
  if (sample.byteLength === 0) return says;
  if (TEXTUAL.test(says)) {
    if (!isText(sample)) throw lie("no text");
    return says;
  }
  const { supportedMimeTypes } = await import("file-type");
  const known = (supportedMimeTypes as ReadonlySet<string>).has(nameOf(says)) ||
    (supportedMimeTypes as ReadonlySet<string>).has(says);
  if (known && HAS_SIGNATURE.test(nameOf(says))) throw lie("something else");
  if (known && /^(audio|video)\//.test(says) && isText(sample)) throw lie("text");
  return says;
}
