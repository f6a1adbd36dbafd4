// Contract of the function save-artifact: versioned text files of a project.
import * as z from "zod";
import { lazy, operation } from "./operation.ts";
import { artifactMetadata, id, jsonObject, MEBIBYTE, moment, time } from "./values.ts";

/** A version of a file without its text. */
export const artifactVersion = lazy(() =>
  z.object({
    id: id(),
    project_id: id(),
    task_id: id().nullable(),
    name: z.string(),
    file_path: z.string(),
    language: z.string().nullable(),
    /** null for a deletion, like the size. */
    content_sha256: z.string().nullable(),
    content_bytes: z.int().nullable(),
    type: z.enum(["file", "component", "snippet"]),
    version: z.int(),
    /** The version that stands; a path whose latest version is a deletion has none. */
    is_active: z.boolean(),
    is_deleted: z.boolean(),
    /** The version this one is a copy of, where it was restored or reverted to. */
    restored_from: z.int().nullable(),
    metadata: jsonObject(),
    created_by: id().nullable(),
    created_at: time(),
    updated_at: time(),
  })
);

export const artifact = lazy(() => artifactVersion().extend({ content: z.string() }));

/** Relative and normalised: at most 1,024 bytes, no empty, `.` or `..` part, no control characters. */
const filePath = lazy(() => z.string().min(1).max(1024));

/** The version the change was made from; 0 says that there must be no such file. */
const baseVersion = lazy(() => z.int32().min(0));

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
      file_path: filePath(),
      content: z.string().max(MEBIBYTE),
      name: z.string().min(1).max(255).optional(),
      language: z.string().max(100).optional(),
      type: z.enum(["file", "component", "snippet"]).optional(),
      /** A task under way, which the version is of. */
      task_id: id().optional(),
      /** The lease that a worker holds the task under: with it, a save that comes after the lease is refused. */
      lease_token: id().optional(),
      metadata: artifactMetadata().optional(),
      base_version: baseVersion().optional(),
      /** What to do when the file has moved on since base_version: refuse (the default) or merge the two changes. */
      on_conflict: z.enum(["fail", "merge"]).optional(),
    }),
  output: () => z.object({ artifact: artifact(), merged: z.boolean() }),
  statuses: [201, 200],
  errors: [
    "forbidden",
    "project_not_found",
    "project_not_active",
    "task_not_found",
    "task_lease_lost",
    "artifact_conflict",
  ],
  maxBodyBytes: 8 * MEBIBYTE,
});

export const deleteArtifact = operation({
  name: "delete_artifact",
  method: "POST",
  path: "/delete",
  summary: "Delete a file: its next version says that it is gone, and its history stays.",
  callers: ["user", "secret"],
  body: "json",
  input: () =>
    z.object({
      project_id: id(),
      file_path: filePath(),
      /** A task under way, which the version is of. */
      task_id: id().optional(),
      /** The lease that a worker holds the task under: with it, a save that comes after the lease is refused. */
      lease_token: id().optional(),
      base_version: baseVersion().optional(),
    }),
  output: () => z.object({ artifact: artifactVersion() }),
  statuses: [201, 200],
  errors: [
    "forbidden",
    "project_not_found",
    "project_not_active",
    "task_not_found",
    "task_lease_lost",
    "artifact_not_found",
    "artifact_conflict",
  ],
});

export const restoreArtifact = operation({
  name: "restore_artifact",
  method: "POST",
  path: "/restore",
  summary: "Make an old version of a file the next one again.",
  callers: ["user", "secret"],
  body: "json",
  input: () => z.object({ artifact_id: id() }),
  output: () => z.object({ artifact: artifact() }),
  statuses: [201, 200],
  errors: ["forbidden", "project_not_found", "artifact_not_found", "project_not_active"],
});

/** A path that revert-execution left alone, with its latest version and who wrote that. */
const keptPath = lazy(() =>
  z.object({
    file_path: z.string(),
    reason: z.enum(["changed_since", "already_as_before", "metadata_too_large"]),
    version: z.int(),
    created_by: id().nullable(),
  })
);

export const revertExecution = operation({
  name: "revert_execution",
  method: "POST",
  path: "/revert-execution",
  summary: "Undo what an execution wrote, path by path, wherever nobody else has written since.",
  callers: ["user", "secret"],
  body: "json",
  input: () => z.object({ execution_id: id() }),
  output: () => z.object({ reverted: z.array(artifactVersion()), kept: z.array(keptPath()) }),
  statuses: [200],
  errors: ["forbidden", "project_not_found", "execution_not_found", "execution_still_running", "project_not_active"],
});

export const artifactHistory = operation({
  name: "artifact_history",
  method: "GET",
  path: "/history",
  summary: "The versions of a file, newest first, deletions too. Pages go on with next_before_version.",
  callers: ["user", "secret"],
  body: "none",
  input: () =>
    z.object({
      project_id: id(),
      file_path: filePath(),
      before_version: z.coerce.number<number>().int().min(1).max(2_147_483_647).optional(),
      limit: z.coerce.number<number>().int().min(1).max(200).optional(),
    }),
  output: () => z.object({ versions: z.array(artifactVersion()), next_before_version: z.int().nullable() }),
  statuses: [200],
  errors: ["project_not_found", "artifact_not_found"],
});

export const artifactSnapshot = operation({
  name: "artifact_snapshot",
  method: "GET",
  path: "/snapshot",
  summary:
    "The files of a project as they were at a moment or at the end of an execution. Pages go on with next_after " +
    "and the same at; format=zip streams all of them as one archive.",
  callers: ["user", "secret"],
  body: "none",
  input: () =>
    z.object({
      project_id: id(),
      /** The moment; that of the last change where absent or later. */
      at: moment().optional(),
      execution_id: id().optional(),
      /** The path after which the page begins. */
      after: z.string().max(1024).optional(),
      limit: z.coerce.number<number>().int().min(1).max(1000).optional(),
      /** Whether the texts come along. A page ends after about 2 MiB of metadata and texts, too: ask on by next_after. */
      with_content: z.stringbool().optional(),
      format: z.enum(["json", "zip"]).optional(),
    }),
  output: () =>
    z.object({
      /** Asked for this one again, the answer is the same for good. */
      at: time(),
      files: z.array(artifactVersion().extend({ content: z.string().optional() })),
      next_after: z.string().nullable(),
    }),
  statuses: [200],
  errors: ["project_not_found", "execution_not_found"],
});

export const operations = [
  saveArtifact,
  deleteArtifact,
  restoreArtifact,
  revertExecution,
  artifactHistory,
  artifactSnapshot,
];
