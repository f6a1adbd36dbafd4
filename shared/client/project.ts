// A project and what is in it, live: its row, its members, its newest executions, the heads of its artifacts, its files and
// its chat sessions.
import type { Tables } from "../database.types.ts";
import type { Client } from "./call.ts";
import { type ChatSession } from "./chat.ts";
import { dataOf, GenesisError } from "./error.ts";
import type { Execution } from "./execution.ts";
import { EXECUTION } from "./execution_log.ts";
import { type Files, filesOf, type StoredFile } from "./files.ts";
import { follow, type Reader, readOnce, type Watch, type WatchOptions } from "./follow.ts";
import type { OutputOf } from "./operations.ts";
import { asSomebody } from "./person.ts";

export type Project = Tables<"projects">;
export type Member = Tables<"project_members">;
/** An artifact's newest version, without its content. */
export type ArtifactHead = Omit<OutputOf<"saveArtifact">["artifact"], "content">;

export interface ProjectParts {
  project: Project;
  members: Member[];
  /** The newest first. */
  executions: Execution[];
  /** Those that were saved last, by path. */
  artifacts: ArtifactHead[];
  /** The newest first. */
  files: StoredFile[];
  /** The newest first. */
  sessions: ChatSession[];
}

export interface ProjectView extends ProjectParts {
  /** Which parts differ from the step before; all of them in the first. */
  changed: (keyof ProjectParts)[];
}

export interface ProjectHandle {
  id: string;
  files: Files;
  update(changes: Partial<Pick<Project, "name" | "description" | "settings" | "status">>): Promise<Project>;
  /** Opens a chat session; shared means that every member takes part. */
  openChat(options?: { title?: string; shared?: boolean }): Promise<ChatSession>;
  /** The text of a file's newest version. */
  readArtifact(filePath: string): Promise<OutputOf<"saveArtifact">["artifact"]>;
  /** The first step of a watch. */
  read(options?: { signal?: AbortSignal; limit?: number; parts?: (keyof ProjectParts)[] }): Promise<ProjectView>;
  /**
   * The present state, then again whenever a part of it changes. Lists hold the newest `limit` (100 where absent);
   * `parts` asks for less.
   */
  watch(options?: WatchOptions & { limit?: number; parts?: (keyof ProjectParts)[] }): Watch<ProjectView>;
}

const ARTIFACT = "id, project_id, task_id, name, file_path, language, content_sha256, content_bytes, type, version, " +
  "is_active, is_deleted, restored_from, metadata, created_by, created_at, updated_at";

const byPath = (a: ArtifactHead, b: ArtifactHead) => (a.file_path < b.file_path ? -1 : 1);

type Part = keyof ProjectParts;
type Read<P extends Part> = (signal: AbortSignal) => PromiseLike<ProjectParts[P]>;

function partReaders(supabase: Client, id: string, limit: number): { [P in Part]: Read<P> } {
  const newest = { ascending: false };
  return {
    project: (signal) =>
      supabase.from("projects").select("*").eq("id", id).abortSignal(signal).maybeSingle().then(dataOf).then((row) => {
        if (row) return row;
        throw new GenesisError("project_not_found", "There is no such project, or you are not a member of it.");
      }),
    members: (signal) =>
      supabase.from("project_members").select("*").eq("project_id", id).order("user_id").abortSignal(signal)
        .then(dataOf),
    executions: (signal) =>
      supabase.from("workflow_executions").select(EXECUTION).eq("project_id", id)
        .order("created_at", newest).order("id").limit(limit).abortSignal(signal).then(
          dataOf,
        ) as unknown as PromiseLike<Execution[]>,
    artifacts: (signal) =>
      supabase.from("code_artifacts").select(ARTIFACT).eq("project_id", id).eq("is_active", true)
        .order("created_at", newest).order("id").limit(limit).abortSignal(signal).then(dataOf)
        .then((heads) => (heads as unknown as ArtifactHead[]).sort(byPath)),
    files: (signal) => filesOf(supabase, id).list({ limit, signal }),
    sessions: (signal) =>
      supabase.from("chat_sessions").select("*").eq("project_id", id)
        .order("created_at", newest).order("id").limit(limit).abortSignal(signal).then(dataOf),
  };
}

/** Which parts the database's events on the topic are about. */
const PARTS_OF_EVENT: Record<string, Part[]> = {
  project: ["project", "members"],
  collaborators: ["project", "members"],
  executions: ["executions"],
  artifacts: ["artifacts"],
  files: ["files"],
  sessions: ["sessions"],
};

function projectReader(supabase: Client, id: string, limit: number, wanted: Part[]): Reader<ProjectView> {
  const readers = partReaders(supabase, id, limit);
  // Without the project's row nobody would notice that they were removed from it.
  const all = [...new Set<Part>(["project", ...wanted])];
  let view: ProjectParts | undefined;
  return {
    topic: `project:${id}`,
    async look(about, signal) {
      const named = about && [...about].flatMap((event) => PARTS_OF_EVENT[event] ?? []);
      const due = view && named ? all.filter((part) => named.includes(part)) : all;
      const read = Object.fromEntries(
        await Promise.all(due.map(async (part) => [part, await readers[part](signal)])),
      ) as Partial<ProjectParts>;
      signal.throwIfAborted();
      const before = view;
      const changed = due.filter((part) => JSON.stringify(read[part]) !== JSON.stringify(before?.[part]));
      if (changed.length === 0) return {};
      view = { ...(view ?? EMPTY), ...read };
      return { step: { ...view, changed } };
    },
  };
}

const EMPTY = { members: [], executions: [], artifacts: [], files: [], sessions: [] } as Partial<
  ProjectParts
> as ProjectParts;
const PARTS: Part[] = ["project", "members", "executions", "artifacts", "files", "sessions"];

/** One project. Every method throws GenesisError. */
export function projectOf(supabase: Client, id: string): ProjectHandle {
  return {
    id,
    files: filesOf(supabase, id),
    update: (changes) =>
      asSomebody(supabase, async () => {
        const row = dataOf(await supabase.from("projects").update(changes).eq("id", id).select("*").maybeSingle());
        if (row) return row;
        const seen = dataOf(await supabase.from("projects").select("id").eq("id", id).maybeSingle());
        throw seen
          ? new GenesisError("forbidden", "Only an owner can change the project.")
          : new GenesisError("project_not_found", "There is no such project, or you are not a member of it.");
      }),
    openChat: ({ title, shared = false } = {}) =>
      asSomebody(supabase, async () => {
        const row = { project_id: id, is_shared: shared, ...(title !== undefined && { title }) };
        return dataOf(await supabase.from("chat_sessions").insert(row).select("*").single());
      }),
    readArtifact: (filePath) =>
      asSomebody(supabase, async () => {
        const row = dataOf(
          await supabase.from("code_artifacts").select(`${ARTIFACT}, content`).eq("project_id", id).eq(
            "file_path",
            // As it was saved: composed, however the caller's system writes it.
            filePath.normalize(),
          )
            .eq("is_active", true).maybeSingle(),
        );
        if (!row) throw new GenesisError("artifact_not_found", "There is no such file in the project.");
        return row as unknown as OutputOf<"saveArtifact">["artifact"];
      }),
    read: ({ limit = 100, parts = PARTS, signal } = {}) =>
      readOnce(supabase, projectReader(supabase, id, limit, parts), signal),
    watch: ({ limit = 100, parts = PARTS, ...options } = {}) =>
      follow(supabase, () => projectReader(supabase, id, limit, parts), options),
  };
}
