// Contract of the function save-artifact: versioned text files of a project.
import * as z from "zod";
import { lazy, operation } from "./operation.ts";
import { id, jsonObject, MEBIBYTE, time } from "./values.ts";

export const artifact = lazy(() =>
  z.object({
    id: id(),
    project_id: id(),
    task_id: id().nullable(),
    name: z.string(),
    file_path: z.string(),
    language: z.string().nullable(),
    content: z.string(),
    content_sha256: z.string(),
    type: z.enum(["file", "component", "snippet"]),
    version: z.int(),
    is_active: z.boolean(),
    metadata: jsonObject(),
    created_by: id().nullable(),
    created_at: time(),
    updated_at: time(),
  })
);

export const saveArtifact = operation({
  name: "save_artifact",
  method: "POST",
  path: "/",
  summary: "Save the next version of a file. With base_version, a file that has moved on is merged or refused.",
  callers: ["user", "secret"],
  body: "json",
  input: () =>
    z.object({
      project_id: id(),
      /** Relative and normalised: at most 1,024 bytes, no empty, `.` or `..` part, no control characters. */
      file_path: z.string().min(1).max(1024),
      content: z.string().max(MEBIBYTE),
      name: z.string().min(1).max(255).optional(),
      language: z.string().max(100).optional(),
      type: z.enum(["file", "component", "snippet"]).optional(),
      task_id: id().optional(),
      metadata: jsonObject().optional(),
      /** The version the change was made from; 0 says that the file must not exist yet. */
      base_version: z.int32().min(0).optional(),
      /** What to do when the file has moved on since base_version: refuse (the default) or merge the two changes. */
      on_conflict: z.enum(["fail", "merge"]).optional(),
    }),
  output: () => z.object({ artifact: artifact(), merged: z.boolean() }),
  statuses: [201, 200],
  errors: ["forbidden", "project_not_found", "project_not_active", "task_not_found", "artifact_conflict"],
  maxBodyBytes: 8 * MEBIBYTE,
});

export const operations = [saveArtifact];
