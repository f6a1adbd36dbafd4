// A save whose base is no longer the head: what both sides changed, and the merge of the two where they do not touch.
import { isDeepStrictEqual } from "node:util";
import { lazy } from "../../../shared/contract/operation.ts";
import * as z from "zod";
import { MEBIBYTE } from "../../../shared/contract/values.ts";
import { type AppContext, callerClient, callerId } from "../_shared/auth.ts";
import { queryFailure } from "../_shared/database.ts";
import { OperationError } from "../_shared/errors.ts";
import { createTurns } from "../_shared/turns.ts";

/** What a version says beside its text. */
const ATTRIBUTES = ["name", "language", "type", "metadata"] as const;
type Attribute = typeof ATTRIBUTES[number];

export interface Conflict {
  headVersion: number;
  /** Both changes in one text, or null where they touch the same lines, or make more of a text than may be. */
  merged: string | null;
  /** What the request sends as it was in the base, so that another's change of it stays. */
  unchanged: Attribute[];
  /** `artifact_conflict`, with everything the caller needs to decide; worked out when it is to be said. */
  refusal: () => OperationError;
}

interface Attempt extends Partial<Record<Attribute, unknown>> {
  project_id: string;
  content: string;
  base_version?: number | undefined;
}

/** A request of a kilobyte can ask for texts of a mebibyte, several times over and in lines: no more than so many at once. */
const inConflictTurn = createTurns(4, true);

const place = lazy(() => z.object({ file_path: z.string(), head_version: z.int() }));

/** The version that was changed and the one that stands, which may be newer than the one that was in the way. */
async function readSides(context: AppContext, projectId: string, filePath: string, base: number, known: number) {
  const { data, error, status } = await callerClient(context).from("code_artifacts")
    .select("version, content, is_deleted, created_by, created_at, name, language, type, metadata")
    .eq("project_id", projectId).eq("file_path", filePath)
    .or(`is_active.eq.true,version.in.(${base},${known})`).order("version");
  if (error) throw queryFailure(status, error);
  return { head: data.at(-1), base: base === 0 ? { content: null } : data.find(({ version }) => version === base) };
}

/** Reads base and head and works out what the caller may do about `error`, an `artifact_conflict`. */
export const conflictOf = (context: AppContext, attempt: Attempt, error: OperationError): Promise<Conflict> =>
  inConflictTurn(callerId(context) ?? undefined, () => workOut(context, attempt, error));

async function workOut(context: AppContext, attempt: Attempt, error: OperationError): Promise<Conflict> {
  // Loaded when needed: most saves meet no conflict, and every cold start would pay for it.
  const { merge } = await import("./merge.ts");
  const { file_path, head_version: known } = place().parse(error.details);
  const base_version = attempt.base_version ?? 0;
  const { head, base } = await readSides(context, attempt.project_id, file_path, base_version, known);
  if (!head) return { headVersion: known, merged: null, unchanged: [], refusal: () => error };

  // Where there is no file, its text is empty; but a change is never merged into a file that somebody deleted. Of a version
  // that there never was nothing is known: the text is compared with the head.
  const { merged, hunks } = merge(attempt.content, (base ?? head).content ?? "", head.content ?? "");
  const mergeable = base !== undefined && merged !== null && !head.is_deleted &&
    new TextEncoder().encode(merged).length <= MEBIBYTE;
  const { version: head_version, content, is_deleted, created_by, created_at } = head;
  const unchanged = base && "version" in base
    ? ATTRIBUTES.filter((attribute) => isDeepStrictEqual(attempt[attribute], base[attribute]))
    : [];
  const refusal = () => {
    const details = {
      file_path,
      base_version,
      head_version,
      base: base ? { version: base_version, content: base.content ?? "" } : null,
      head: { version: head_version, content, is_deleted, created_by, created_at },
      hunks: hunks(),
      mergeable,
      unchanged,
    };
    const message = base
      ? `The file is at version ${head_version}; your change was based on version ${base_version}.`
      : `There is no version ${base_version} of this file: its head is ${head_version}.`;
    return new OperationError("artifact_conflict", message, details, { cause: error });
  };
  return { headVersion: head_version, merged: mergeable ? merged : null, unchanged, refusal };
}
