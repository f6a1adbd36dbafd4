// The files of a project live, saved optimistically; where somebody else was faster, the conflict is there to be resolved.
import { useCallback, useEffect, useRef, useState } from "react";
import { type ArtifactHead, type GenesisError, type InputOf, type OutputOf } from "../client/mod.ts";
import { type Person, useGenesis, usePerson, useTurn } from "./context.ts";
import { usePending } from "./use_pending.ts";
import { useWatch } from "./use_watch.ts";

type Artifact = OutputOf<"saveArtifact">["artifact"];
export type SaveInput = Omit<InputOf<"saveArtifact">, "project_id">;

/** A save that met somebody else's: what was to be saved, and what stands there now. */
export interface Conflict {
  file_path: string;
  /** What the caller wanted to save. */
  content: string;
  /** And beside the text, without what was as in the version it was made from: there somebody else's change stays. */
  fields: Omit<SaveInput, "file_path" | "content" | "base_version" | "on_conflict">;
  base_version: number;
  head_version: number;
  /** The text as it is now; null where it could not be read. */
  head_content: string | null;
  /** Do the two changes touch different lines, so that saving with `on_conflict: "merge"` would do? */
  mergeable: boolean;
  /** All that artifact_conflict tells, hunks included. */
  details: Record<string, unknown>;
}

export interface UseArtifacts {
  /** The newest version of each file, by path. */
  artifacts: (ArtifactHead & { isPending?: true })[];
  /** Saves that were refused because the file had moved on, one per file. */
  conflicts: Conflict[];
  loading: boolean;
  error: GenesisError | null;
  isLive: boolean;
  /** The newest version with its text, to edit; save with its version as base_version. */
  open(filePath: string): Promise<Artifact>;
  /** Shows the new version at once and takes it back when it is refused; throws the refusal. */
  save(input: SaveInput): Promise<OutputOf<"saveArtifact">>;
  /** Saves this text, with the fields of the conflict, as the answer to it, on top of what stands there now. */
  resolve(conflict: Conflict, content: string): Promise<OutputOf<"saveArtifact">>;
  /** Forgets a conflict: what stands there stays. */
  dismiss(conflict: Conflict): void;
}

function conflictOf(input: SaveInput, error: GenesisError): Conflict {
  const { details } = error;
  const head = details.head as { content?: string } | undefined;
  const { file_path, content, base_version = 0, on_conflict: _, ...fields } = input;
  for (const name of (details.unchanged ?? []) as (keyof typeof fields)[]) delete fields[name];
  return {
    file_path,
    content,
    fields,
    base_version,
    head_version: Number(details.head_version),
    head_content: head?.content ?? null,
    mergeable: details.mergeable === true,
    details,
  };
}

/** `useArtifacts(projectId)`; an empty id shows nothing. */
export function useArtifacts(projectId: string): UseArtifacts {
  const genesis = useGenesis();
  const turn = useTurn();
  const person = usePerson();
  const { step, loading, error, isLive } = useWatch(
    projectId,
    (genesis, options) => genesis.project(projectId).watch({ ...options, parts: ["artifacts"], limit: 1000 }),
  );
  const pending = usePending<{ projectId: string; input: SaveInput }>();
  // What was just saved, and the step that cannot know it yet.
  const [saved, setSaved] = useState<{ artifact: Artifact; step: typeof step; turn: number }[]>([]);
  const [conflicts, setConflicts] = useState<{ projectId: string; person: Person; conflict: Conflict }[]>([]);

  const shown = useRef(step);
  useEffect(() => {
    shown.current = step;
  });

  const forget = useCallback((filePath: string) => {
    setConflicts((before) =>
      before.filter((entry) =>
        entry.projectId !== projectId || entry.person !== person || entry.conflict.file_path !== filePath
      )
    );
  }, [projectId, person]);

  const save = useCallback(async (input: SaveInput) => {
    try {
      return await pending.run(
        { projectId, input },
        () => genesis.saveArtifact({ ...input, project_id: projectId }),
        ({ artifact }) => {
          const entry = { artifact, step: shown.current, turn };
          setSaved((before) => [...before.filter((other) => other.artifact.file_path !== artifact.file_path), entry]);
          forget(input.file_path);
        },
      );
    } catch (refusal) {
      const { code } = refusal as GenesisError;
      if (code === "artifact_conflict") {
        forget(input.file_path);
        const conflict = conflictOf(input, refusal as GenesisError);
        setConflicts((before) => [...before, { projectId, person, conflict }]);
      }
      throw refusal;
    }
  }, [genesis, projectId, turn, person, pending.run, forget]);

  const heads = new Map<string, UseArtifacts["artifacts"][number]>(
    step?.artifacts.map((artifact) => [artifact.file_path, artifact]),
  );
  // Whoever may not see the project any more is not shown what they saved there either, nor what they met.
  for (const { artifact: { content: _, ...artifact }, step: before, turn: savedIn } of error ? [] : saved) {
    const known = heads.get(artifact.file_path);
    // A file that a later step no longer has was deleted.
    const isAhead = known ? artifact.version > known.version : before === step;
    if (savedIn === turn && artifact.project_id === projectId && isAhead) heads.set(artifact.file_path, artifact);
  }
  for (const change of pending.changes) {
    const known = heads.get(change.input.file_path);
    // A file that is new has no row to show yet; it appears when it is there.
    if (known && change.projectId === projectId) {
      heads.set(change.input.file_path, { ...known, version: known.version + 1, isPending: true });
    }
  }
  return {
    artifacts: [...heads.values()].sort((a, b) => (a.file_path < b.file_path ? -1 : 1)),
    conflicts: conflicts.filter((entry) => !error && entry.projectId === projectId && entry.person === person)
      .map(({ conflict }) => conflict),
    loading,
    error: error ?? (pending.error?.code === "artifact_conflict" ? null : pending.error),
    isLive,
    open: useCallback((filePath: string) => genesis.project(projectId).readArtifact(filePath), [genesis, projectId]),
    save,
    resolve: useCallback(
      ({ file_path, head_version, fields }: Conflict, content: string) =>
        save({ ...fields, file_path, content, base_version: head_version }),
      [save],
    ),
    dismiss: useCallback(({ file_path }: Conflict) => forget(file_path), [forget]),
  };
}
