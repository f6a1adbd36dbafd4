// Signed download URLs: whoever may SELECT an object may hand out links to it.
import { z } from "zod";
import { objectNotFound } from "./errors.ts";
import { transformation } from "./render.ts";
import { type Operation, readJson } from "./request.ts";

const expiresIn = z.number().int().min(1);
const oneSchema = z.object({ expiresIn, transform: transformation.optional(), versionId: z.undefined().optional() });
const manySchema = z.object({ expiresIn, paths: z.array(z.string()).min(1).max(1000) });

/** POST /object/sign/:bucket/* */
export const signObject: Operation = async (call, services) => {
  const { expiresIn, transform } = await readJson(call, oneSchema);
  if (!await services.database.find(call.scope, call.bucket, call.object)) throw objectNotFound();
  const url = `${call.bucket}/${call.object}`;
  const token = await services.tokens.sign({ scope: "download", url, transform }, expiresIn);
  return Response.json({ signedURL: `/${transform ? "render/image" : "object"}/sign/${url}?token=${token}` });
};

/** POST /object/sign/:bucket: what is not there, or hidden from the caller, gets an error in its place. */
export const signObjects: Operation = async (call, services) => {
  const { expiresIn, paths } = await readJson(call, manySchema);
  const rows = await services.database.run(call.scope, (tx) =>
    tx<{ name: string }[]>`
    select name from storage.objects
    where bucket_id = ${call.bucket} and name = any(${paths}) and archived_at is null and not is_delete_marker`);
  const visible = new Set(rows.map(({ name }) => name));
  const results = paths.map(async (path) => {
    if (!visible.has(path)) {
      return { error: "Either the object does not exist or you do not have access to it", path, signedURL: null };
    }
    const url = `${call.bucket}/${path}`;
    const token = await services.tokens.sign({ scope: "download", url }, expiresIn);
    return { error: null, path, signedURL: `/object/sign/${url}?token=${token}` };
  });
  return Response.json(await Promise.all(results));
};
