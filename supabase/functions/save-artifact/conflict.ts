// A save whose base is no longer the head: what both sides changed, and the merge of the two where they do not touch.
import * as z from "zod";
import { type AppContext, callerClient } from "../_shared/auth.ts";
import { fromDatabase, OperationError } from "../_shared/errors.ts";

export interface Conflict {
  headVersion: number;
  /** Both changes in one text, or null where they touch the same lines. */
  merged: string | null;
  /** `artifact_conflict`, with everything the caller needs to decide. */
  refusal: OperationError;
}

interface Attempt {
  project_id: string;
  content: string;
  base_version?: number | undefined;
}

const place = z.object({ file_path: z.string(), head_version: z.int() });

/** Lines with their ends, so that joining them gives the text back. */
const linesOf = (text: string) => text === "" ? [] : text.split(/(?<=\n)/);

async function readVersions(context: AppContext, projectId: string, filePath: string, versions: number[]) {
  const { data, error } = await callerClient(context).from("code_artifacts")
    .select("version, content, created_by, created_at")
    .eq("project_id", projectId).eq("file_path", filePath).in("version", versions);
  if (error) throw fromDatabase(error);
  return (version: number) => data.find((row) => row.version === version);
}

/** Reads base and head and works out what the caller may do about `error`, an `artifact_conflict`. */
export async function conflictOf(context: AppContext, attempt: Attempt, error: OperationError): Promise<Conflict> {
  // Loaded when needed: most saves meet no conflict, and every cold start would pay for it.
  const { diff3Merge, diffPatch } = await import("node-diff3");
  const { file_path, head_version } = place.parse(error.details);
  const baseVersion = attempt.base_version ?? 0;
  const versionOf = await readVersions(context, attempt.project_id, file_path, [
    baseVersion,
    head_version,
  ]);
  const head = versionOf(head_version);
  const base = versionOf(baseVersion) ??
    (baseVersion === 0 ? { content: "" } : undefined);
  if (!head || !base) {
    return { headVersion: head_version, merged: null, refusal: error };
  }

  const [mine, original, theirs] = [attempt.content, base.content, head.content]
    .map(linesOf);
  if (!mine || !original || !theirs) {
    return { headVersion: head_version, merged: null, refusal: error };
  }
  const regions = diff3Merge(mine, original, theirs, {
    excludeFalseConflicts: true,
  });
  const isClean = regions.every((region) => region.ok);
  const details = {
    file_path,
    base_version: baseVersion,
    head_version,
    base: { version: baseVersion, content: base.content },
    head: {
      version: head_version,
      content: head.content,
      created_by: head.created_by,
      created_at: head.created_at,
    },
    hunks: {
      yours: diffPatch(original, mine),
      theirs: diffPatch(original, theirs),
    },
    mergeable: isClean,
  };
  return {
    headVersion: head_version,
    merged: isClean ? regions.flatMap((region) => region.ok ?? []).join("") : null,
    refusal: new OperationError("artifact_conflict", error.message, details, {
      cause: error,
    }),
  };
}
