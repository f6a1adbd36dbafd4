// Contract of the function upload-file: binary files of a project, in the bucket genesis-files.
import * as z from "zod";
import { lazy, operation } from "./operation.ts";
import { id, jsonObject, time } from "./values.ts";

/** Largest file in bytes, equal to the bucket's limit (config.toml and the migration; a repository test compares). */
export const MAX_FILE_BYTES = 52_428_800;

/** What the form may hold beside the file, in bytes. */
export const FORM_BYTES = 65_536;

export const file = lazy(() =>
  z.object({
    id: id(),
    project_id: id(),
    bucket_name: z.string(),
    file_path: z.string(),
    file_name: z.string(),
    file_size: z.int().nullable(),
    mime_type: z.string().nullable(),
    sha256: z.string().nullable(),
    status: z.enum(["pending", "ready"]),
    metadata: jsonObject(),
    uploaded_by: id().nullable(),
    created_at: time(),
  })
);

export const uploadFile = operation({
  name: "upload_file",
  method: "POST",
  path: "/",
  summary:
    "Upload a file as multipart/form-data: project_id (first), file, and optionally path. Streamed, at most 50 MiB.",
  callers: ["user", "secret"],
  body: "multipart",
  /** The fields beside `file`. */
  input: () =>
    z.object({
      project_id: id(),
      /** Where the file belongs in the project, for people; not where it is stored. */
      path: z.string().min(1).max(1024).optional(),
    }),
  output: () => z.object({ file: file(), signed_url: z.url(), expires_at: time() }),
  statuses: [201],
  errors: ["forbidden", "project_not_found", "project_not_active", "unavailable"],
  maxBodyBytes: MAX_FILE_BYTES + FORM_BYTES,
});

export const operations = [uploadFile];
