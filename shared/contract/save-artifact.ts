// Contract of the function save-artifact: versioned text files of a project.
import * as z from "zod";
import { lazy, operation } from "./operation.ts";
import { artifactMetadata, id, jsonObject, MEBIBYTE, moment, time } from "./values.ts";

/** A version of a file without its text. */
export const artifactVersion = lazy(() =>
  z.object({
    id: id(),
    project_id: id(),
    /** The task that it is of, where it is of one. */
    task_id: id().nullable(),
    /** For people. */
    name: z.string(),
    file_path: z.string(),
    language: z.string().nullable(),
    /** null for a deletion, like the size. */
    content_sha256: z.string().nullable(),
    content_bytes: z.int().nullable(),
    type: z.enum(["file", "component", "snippet"]),
    /** 1, 2, 3 and so on for each path, without a gap. */
    version: z.int(),
    /** The version that stands; a path whose latest version is a deletion has none. */
    is_active: z.boolean(),
    /** Whether this version says that the file is gone. */
    is_deleted: z.boolean(),
    /** The version this one is a copy of, where it was restored or reverted to. */
    restored_from: z.int().nullable(),
    metadata: jsonObject(),
    /** The person who wrote it; null for a worker. */
    created_by: id().nullable(),
    created_at: time(),
    updated_at: time(),
  })
);

export const artifact = lazy(() => artifactVersion().extend({ content: z.string() }));

/** A path of a project. */
const place = () => ({
  project_id: id(),
  /** Relative and normalised: at most 1,024 bytes of UTF-8, no empty, `.` or `..` part, no control characters. */
  file_path: z.string().min(1).max(1024),
});

/** Who changes it and from where. */
const change = () => ({
  /** A task under way, which the version is of. */
  task_id: id().optional(),
  /** The lease that a worker holds the task under: with it, a save that comes after the lease is refused. */
  lease_token: id().optional(),
  /** The version the change was made from; 0 says that there must be no such file. Where absent, nothing is compared. */
  base_version: z.int32().min(0).optional(),
});

export const saveArtifact = operation({
  name: "save_artifact",
  method: "POST",
  path: "/",
  summary: "Save the next version of a file. With base_version, a file that has moved on is merged or refused.",
  callers: ["user", "secret"],
  body: "json",
  input: () =>
    z.object({
      ...place(),
      /** At most 1 MiB of UTF-8. */
      content: z.string().max(MEBIBYTE),
      /** For people; where absent that of the version before, at first the last part of the path. */
      name: z.string().min(1).max(255).optional(),
      /** Where absent that of the version before, like `type` and `metadata`. */
      language: z.string().max(100).optional(),
      /** At first `file`. */
      type: z.enum(["file", "component", "snippet"]).optional(),
      /** At most 16 KiB as JSON; `{}` takes away what there was. */
      metadata: artifactMetadata().optional(),
      ...change(),
      /** What to do when the file has moved on since base_version: refuse (the default) or merge the two changes. */
      on_conflict: z.enum(["fail", "merge"]).optional(),
    }),
  output: () =>
    z.object({
      /** The version that stands now: a new one (201), or the one that said the same already (200). */
      artifact: artifact(),
      /** Whether somebody else's change was merged with this one, so that the text is not what was sent. */
      merged: z.boolean(),
    }),
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
      ...place(),
      ...change(),
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
  input: () =>
    z.object({
      /** The version that is wanted again. */
      artifact_id: id(),
    }),
  output: () => z.object({ artifact: artifact() }),
  statuses: [201, 200],
  errors: ["forbidden", "project_not_found", "artifact_not_found", "project_not_active"],
});

/** A path that revert-execution left alone, with its latest version and who wrote that. */
const keptPath = lazy(() =>
  z.object({
    file_path: z.string(),
    /** Somebody else has written since; nothing was to be undone; or the version from before has more metadata than 16 KiB. */
    reason: z.enum(["changed_since", "already_as_before", "metadata_too_large"]),
    /** The version that stands, or says that the file is gone. */
    version: z.int(),
    /** The person who wrote that; null for a worker. */
    created_by: id().nullable(),
  })
);

export const revertExecution = operation({
  name: "revert_execution",
  method: "POST",
  path: "/revert-execution",
  summary:
    "Undo what an execution wrote, path by path, wherever nobody else has written since. Of many paths the first " +
    "are undone, and the next part begins behind next_after.",
  callers: ["user", "secret"],
  body: "json",
  input: () =>
    z.object({
      execution_id: id(),
      /** The path after which the part begins. */
      after: z.string().max(1024).optional(),
      /** Only so many paths, at once or not at all; where absent up to 40,000 over HTTP, in parts of 10,000. */
      limit: z.int().min(1).max(10_000).optional(),
    }),
  output: () =>
    z.object({
      /** The new versions, one for each path that is as it was before the execution. */
      reverted: z.array(artifactVersion()),
      /** The paths that were left alone, and why. */
      kept: z.array(keptPath()),
      /** The next part's `after`; null where all paths have been looked at. */
      next_after: z.string().nullable(),
    }),
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
      ...place(),
      /** Only versions before this one. */
      before_version: z.coerce.number<number>().int().min(1).max(2_147_483_647).optional(),
      /** How many at the most; 50 where absent. */
      limit: z.coerce.number<number>().int().min(1).max(200).optional(),
    }),
  output: () =>
    z.object({
      /** Newest first. */
      versions: z.array(artifactVersion()),
      /** The next page's `before_version`; null where there is none. */
      next_before_version: z.int().nullable(),
    }),
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
      /** The moment when this execution, and all inside it, had written its last file. Not together with `at`. */
      execution_id: id().optional(),
      /** The path after which the page begins. */
      after: z.string().max(1024).optional(),
      /** How many files at the most; 200 where absent. */
      limit: z.coerce.number<number>().int().min(1).max(1000).optional(),
      /** Whether the texts come along. A page ends after about 2 MiB of metadata and texts, too: ask on by next_after. */
      with_content: z.stringbool().optional(),
      /** `json` where absent; `zip` streams all files as one archive, without pages. */
      format: z.enum(["json", "zip"]).optional(),
    }),
  output: () =>
    z.object({
      /** Asked for this one again, the answer is the same for good. */
      at: time(),
      /** In the order of their paths. */
      files: z.array(
        artifactVersion().extend({
          /** With `with_content` alone. */
          content: z.string().optional(),
        }),
      ),
      /** The next page's `after`; null where there is none. */
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
