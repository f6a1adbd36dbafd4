// A project and what is in it, live, with changes of its row shown before they are confirmed.
import { useCallback, useState } from "react";
import type { GenesisError, Project, ProjectHandle, ProjectView } from "../client/mod.ts";
import { useGenesis } from "./context.ts";
import { usePending } from "./use_pending.ts";
import { useWatch } from "./use_watch.ts";

type Changes = Parameters<ProjectHandle["update"]>[0];

export interface UseProject extends Partial<Omit<ProjectView, "project" | "changed">> {
  project: Project | null;
  loading: boolean;
  error: GenesisError | null;
  isLive: boolean;
  /** Shows the change at once and takes it back when it is refused; throws the refusal. Owners only. */
  updateProject(changes: Changes): Promise<Project>;
}

const isNewer = (a: Project, b: Project) => Date.parse(a.updated_at) > Date.parse(b.updated_at);

/** `useProject(id)`; an empty id shows nothing. */
export function useProject(projectId: string): UseProject {
  const genesis = useGenesis();
  const { step, loading, error, isLive } = useWatch(
    projectId,
    (genesis, options) => genesis.project(projectId).watch(options),
  );
  const pending = usePending<{ projectId: string; fields: Changes }>();
  const [confirmed, setConfirmed] = useState<Project | null>(null);

  const updateProject = useCallback(
    (fields: Changes) =>
      pending.run({ projectId, fields }, () => genesis.project(projectId).update(fields), setConfirmed),
    [genesis, projectId, pending.run],
  );

  const { project: watched, changed: _, ...parts } = step ?? {};
  const stored = watched && confirmed?.id === watched.id && isNewer(confirmed, watched) ? confirmed : watched;
  const own = pending.changes.filter((change) => change.projectId === projectId).map(({ fields }) => fields);
  return {
    ...parts,
    project: stored ? Object.assign({}, stored, ...own) : null,
    loading,
    error: error ?? pending.error,
    isLive,
    updateProject,
  };
}
