// Contract of the function start-workflow.
import * as z from "zod";
import { lazy, operation } from "./operation.ts";
import { execution, id, json, jsonObject, task, time } from "./values.ts";

export const startWorkflow = operation({
  name: "start_workflow",
  method: "POST",
  path: "/",
  summary: "Start an execution of a workflow. With an Idempotency-Key the same request gives the same execution.",
  callers: ["user", "secret"],
  body: "json",
  input: () =>
    z.object({
      workflow_id: id(),
      /** The published version to run; the current one where absent. */
      version: z.int32().min(1).optional(),
      /** The execution's first state, at most 1 MiB; empty where absent. */
      input: jsonObject().optional(),
      /** The same request with the same key starts nothing again. The header `Idempotency-Key` means the same. */
      idempotency_key: z.string().min(1).max(255).optional(),
    }),
  output: () =>
    z.object({
      execution: execution(),
      /** In the order of the graph; of a large one the first hundred. */
      tasks: z.array(task()),
      /** Whether the execution was there already, under the same idempotency key. */
      replayed: z.boolean(),
    }),
  statuses: [201, 200],
  errors: [
    "forbidden",
    "project_not_active",
    "workflow_not_found",
    "workflow_version_not_found",
    "workflow_invalid",
    "idempotency_conflict",
  ],
  maxBodyBytes: 2 * 1_048_576,
});

/** What an import could not know; publishing goes on. */
const warning = lazy(() =>
  z.object({
    code: z.string(),
    message: z.string(),
    /** The node that it is about. */
    node: z.string().optional(),
    /** The edge that it is about, as `source → target`. */
    edge: z.string().optional(),
  })
);

export const publishWorkflow = operation({
  name: "publish_workflow",
  method: "POST",
  path: "/publish",
  summary: "Freeze the draft as the next immutable version. Every fault of the graph is named at once.",
  callers: ["user", "secret"],
  body: "json",
  input: () => z.object({ workflow_id: id() }),
  output: () =>
    z.object({
      version: z.int(),
      /** What is no fault and may not be meant: what an import could not know, fields that nothing reads. */
      warnings: z.array(warning()),
    }),
  statuses: [201],
  errors: ["forbidden", "project_not_active", "workflow_not_found", "workflow_invalid"],
});

export const rollBackWorkflow = operation({
  name: "roll_back_workflow",
  method: "POST",
  path: "/roll-back",
  summary: "Make an older version current again, as a new version that names its source. The draft stays as it is.",
  callers: ["user", "secret"],
  body: "json",
  input: () =>
    z.object({
      workflow_id: id(),
      /** The version to run again. */
      to_version: z.int32().min(1),
    }),
  output: () =>
    z.object({
      /** The number of the new version. */
      version: z.int(),
    }),
  statuses: [201],
  errors: ["forbidden", "project_not_active", "workflow_not_found", "workflow_version_not_found", "workflow_invalid"],
});

const reason = lazy(() => z.string().max(10_000).optional());

export const cancelExecution = operation({
  name: "cancel_execution",
  method: "POST",
  path: "/cancel",
  summary: "End a running execution. Its open tasks are cancelled; workers learn it at their next heartbeat.",
  callers: ["user", "secret"],
  body: "json",
  input: () =>
    z.object({
      execution_id: id(),
      /** Kept as the execution's `error_message` and in its log. */
      reason: reason(),
    }),
  output: () => z.object({ execution: execution() }),
  statuses: [200],
  errors: ["forbidden", "project_not_active", "execution_not_found", "execution_not_running"],
});

export const retryExecution = operation({
  name: "retry_execution",
  method: "POST",
  path: "/retry",
  summary: "Try the failed tasks of a failed execution again; what was completed stays.",
  callers: ["user", "secret"],
  body: "json",
  input: () =>
    z.object({
      execution_id: id(),
      /** Kept in the execution's log. */
      reason: reason(),
    }),
  output: () => z.object({ execution: execution() }),
  statuses: [200],
  errors: ["forbidden", "project_not_active", "execution_not_found", "execution_not_failed", "payload_too_large"],
});

export const forkExecution = operation({
  name: "fork_execution",
  method: "POST",
  path: "/fork",
  summary: "A new execution that keeps the work finished before a node, for another try from there.",
  callers: ["user", "secret"],
  body: "json",
  input: () =>
    z.object({
      execution_id: id(),
      /** This node, what lies behind it and what was unfinished start anew. */
      from_node: z.string().min(1).max(200),
      /** Laid over the input of the execution it comes from. Where that makes another one of it, approvals are asked for again. */
      input: jsonObject().optional(),
    }),
  output: () =>
    z.object({
      execution: execution(),
      /** In the order of the graph; of a large one the first hundred. */
      tasks: z.array(task()),
    }),
  statuses: [201],
  errors: ["forbidden", "project_not_active", "execution_not_found", "node_not_found"],
  maxBodyBytes: 2 * 1_048_576,
});

export const executionState = operation({
  name: "execution_state",
  method: "GET",
  path: "/executions/:execution_id",
  summary: "An execution as it stands: its tasks, its state folded so far, and the cursor its events go on from.",
  callers: ["user", "secret"],
  body: "none",
  input: () => z.object({ execution_id: id() }),
  output: () =>
    z.object({
      execution: execution(),
      /** All of them, in the order of the graph. */
      tasks: z.array(task()),
      /** The input and the outputs so far, folded channel by channel. */
      state: jsonObject(),
      /** The cursor from which `list_events` and `follow_execution` go on. */
      events_after: z.string(),
    }),
  statuses: [200],
  errors: ["execution_not_found"],
});

/** What the log says of one moment. */
export const event = lazy(() =>
  z.object({
    /** Of two events that name one task the one with the greater id counts. */
    id: z.int(),
    /** `task.running`, `execution.completed` and so on; docs/workflows.md has them all. */
    type: z.string(),
    /** null where it is about the execution. */
    task_id: id().nullable(),
    /** Per status, the ids of the other tasks that came to it in the same step; and what the type says. */
    data: z.record(z.string(), json()),
    created_at: time(),
  })
);

const afterCursor = () => ({
  execution_id: id(),
  /** A cursor from an earlier answer; from the beginning where absent. */
  after: z.string().regex(/^\d{1,19}-\d{1,19}$/).optional(),
  /** How many events at the most; 200 where absent. */
  limit: z.coerce.number().int().min(1).max(1000).optional(),
});

const page = () => ({
  events: z.array(event()),
  /** Where the next call goes on. */
  cursor: z.string(),
  /** Whether there is more to read at once. */
  has_more: z.boolean(),
});

export const listEvents = operation({
  name: "list_events",
  method: "GET",
  path: "/executions/:execution_id/events",
  summary: "What happened after a cursor, in an order in which nothing is missed or repeated.",
  callers: ["user", "secret"],
  body: "none",
  input: () => z.object(afterCursor()),
  output: () => z.object(page()),
  statuses: [200],
  errors: ["execution_not_found"],
});

export const followExecution = operation({
  name: "follow_execution",
  method: "GET",
  path: "/executions/:execution_id/changes",
  summary: "The events after a cursor, with the execution and the tasks they tell of as all these are at one moment.",
  callers: ["user", "secret"],
  body: "none",
  input: () => z.object(afterCursor()),
  output: () =>
    z.object({
      ...page(),
      /** More has committed, and can be read once the transactions have ended that were writing before it. */
      is_behind: z.boolean(),
      execution: execution(),
      /** Those that the events name, in the order of the graph. */
      tasks: z.array(task()),
    }),
  statuses: [200],
  errors: ["execution_not_found"],
});

export const operations = [
  startWorkflow,
  publishWorkflow,
  rollBackWorkflow,
  cancelExecution,
  retryExecution,
  forkExecution,
  executionState,
  listEvents,
  followExecution,
];
