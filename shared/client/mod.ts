// The typed client: one method per operation over supabase-js, live views as async iterables, and the worker kit.
//
//     const genesis = createGenesis(createClient<Database>(url, publishableKey));
//     const { execution } = await genesis.startWorkflow({ workflow_id, input: { goal: "a todo app" } });
//     for await (const { execution: now, tasks } of genesis.execution(execution.id).watch()) {
//       render(now, tasks);
//       if (now.completed_at) break;
//     }
import { call, type CallOptions, type Client } from "./call.ts";
import { type Chat, chatOf } from "./chat.ts";
import { type ExecutionHandle, executionOf } from "./execution.ts";
import { OPERATIONS, type Operations, type Route } from "./operations.ts";
import { type ProjectHandle, projectOf } from "./project.ts";
import { runWorker, type WorkerOptions } from "./worker.ts";

export type { CallOptions, Client } from "./call.ts";
export type { Chat, ChatMessage, ChatSession, ChatView, NewMessage } from "./chat.ts";
export { GenesisError } from "./error.ts";
export type {
  Execution,
  ExecutionEvent,
  ExecutionHandle,
  ExecutionState,
  ExecutionView,
  TaskState,
} from "./execution.ts";
export type { Files, StoredFile } from "./files.ts";
export type { TusUpload, UploadOptions } from "./upload.ts";
export type { Watch, WatchOptions } from "./follow.ts";
export type { Task } from "./lease.ts";
export type { InputOf, OperationName, Operations, OutputOf } from "./operations.ts";
export type { ArtifactHead, Member, Project, ProjectHandle, ProjectParts, ProjectView } from "./project.ts";
export {
  type Change,
  listen,
  type Listener,
  listenToChanges,
  type Message,
  type Present,
  type Subscription,
  type TableChanges,
} from "./channel.ts";
export type { TaskContext, TaskResult, WorkerOptions } from "./worker.ts";
export type { ErrorCode } from "../errors.ts";
export type { Database, Json } from "../database.types.ts";

export interface Genesis extends Operations {
  readonly supabase: Client;
  execution(id: string): ExecutionHandle;
  project(id: string): ProjectHandle;
  chat(sessionId: string): Chat;
  /** Works for these agent types until SIGTERM or the signal; needs the secret key, or a member who may edit. */
  runWorker(options: WorkerOptions): Promise<void>;
}

/** The client for whoever the given supabase-js client speaks as. Every method throws GenesisError. */
export function createGenesis(supabase: Client): Genesis {
  const entries = Object.entries(OPERATIONS).map(([name, route]: [string, Route]) => [
    name,
    (input: Record<string, unknown>, options?: CallOptions) => call(supabase, route, input, options),
  ]);
  const operations = Object.fromEntries(entries) as Operations;
  return {
    ...operations,
    supabase,
    execution: (id) => executionOf(supabase, id),
    project: (id) => projectOf(supabase, id),
    chat: (sessionId) => chatOf(supabase, sessionId),
    runWorker: (options) => runWorker(supabase, operations, options),
  };
}
