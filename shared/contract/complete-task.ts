// Contract of the function complete-task: how a worker gets work, keeps it and reports it.
import * as z from "zod";
import { lazy, operation } from "./operation.ts";
import { artifactMetadata, execution, id, json, jsonObject, MEBIBYTE, task, time } from "./values.ts";

const leaseSeconds = lazy(() => z.int().min(1).max(86_400));

export const claimTasks = operation({
  name: "claim_tasks",
  method: "POST",
  path: "/claim",
  summary: "Take tasks to work on. Each comes with a lease token that every later word about it must carry.",
  callers: ["user", "secret"],
  body: "json",
  input: () =>
    z.object({
      /** A name of the worker's own choosing, for people to read. */
      worker_id: z.string().min(1).max(200),
      agent_types: z.array(z.string().min(1).max(63)).min(1).max(100),
      limit: z.int().min(1).max(100).optional(),
      lease_seconds: leaseSeconds().optional(),
      project_id: id().optional(),
      execution_id: id().optional(),
    }),
  output: () =>
    z.object({
      tasks: z.array(z.object({
        id: id(),
        lease_token: id(),
        lease_expires_at: time(),
        execution_id: id(),
        project_id: id(),
        node_id: z.string(),
        agent_type: z.string(),
        agent_id: id().nullable(),
        attempt: z.int(),
        max_attempts: z.int(),
        map_index: z.int().nullable(),
        iteration: z.int(),
        input_data: json(),
      })),
    }),
  statuses: [200],
  errors: ["forbidden", "project_not_found", "project_not_active", "execution_not_found"],
});

export const heartbeatTask = operation({
  name: "heartbeat_task",
  method: "POST",
  path: "/heartbeat",
  summary: "Keep a task's lease. `cancelled` tells the worker to stop.",
  callers: ["user", "secret"],
  body: "json",
  input: () => z.object({ task_id: id(), lease_token: id(), lease_seconds: leaseSeconds().optional() }),
  output: () => z.object({ lease_expires_at: time().nullable(), cancelled: z.boolean() }),
  statuses: [200],
  errors: ["forbidden", "project_not_active", "task_not_found", "task_lease_lost"],
});

export const releaseTask = operation({
  name: "release_task",
  method: "POST",
  path: "/release",
  summary: "Give a lease back unused: the task is pending again at once, and the attempt does not count.",
  callers: ["user", "secret"],
  body: "json",
  input: () => z.object({ task_id: id(), lease_token: id() }),
  output: () => z.object({ task: task() }),
  statuses: [200],
  errors: ["forbidden", "project_not_active", "task_not_found", "task_lease_lost"],
});

/** A file that a task brings along, with the fields of save-artifact but project and task; or one that it deletes. */
const taskArtifact = lazy(() =>
  z.discriminatedUnion("deleted", [
    z.object({
      file_path: z.string().min(1).max(1024),
      deleted: z.literal(true),
      base_version: z.int32().min(0).optional(),
    }),
    z.object({
      file_path: z.string().min(1).max(1024),
      deleted: z.literal(false).optional(),
      content: z.string().max(MEBIBYTE),
      name: z.string().min(1).max(255).optional(),
      language: z.string().max(100).optional(),
      type: z.enum(["file", "component", "snippet"]).optional(),
      metadata: artifactMetadata().optional(),
      base_version: z.int32().min(0).optional(),
    }),
  ])
);

const taskMessage = lazy(() =>
  z.object({
    session_id: id(),
    content: z.string().min(1).max(MEBIBYTE),
    role: z.enum(["user", "assistant", "system"]).optional(),
    artifacts: z.array(json()).optional(),
    metadata: jsonObject().optional(),
  })
);

export const report = lazy(() =>
  z.object({
    task_id: id(),
    lease_token: id(),
    status: z.enum(["completed", "failed"]),
    output_data: json().optional(),
    error_message: z.string().max(MEBIBYTE).optional(),
    execution_time_ms: z.int32().min(0).optional(),
    /** The branch the worker chose, where the node's edges are labelled. */
    label: z.string().max(200).optional(),
    artifacts: z.array(taskArtifact()).max(100).optional(),
    messages: z.array(taskMessage()).max(100).optional(),
  })
);

/** What is no report is let through, so that it is refused alone; the types of a client name reports only. */
const reportOrNone = lazy(() => z.union([report(), json()]) as unknown as ReturnType<typeof report>);

/** A batch whose reports are still to be looked at, each for itself. */
export const reports = lazy(() => z.object({ results: z.array(z.any()).min(1).max(100) }));

/** `unlocked`: the tasks that may begin now; of very many, the first hundred. */
const reported = lazy(() => z.object({ task: task(), execution: execution(), unlocked: z.array(task()) }));

export const completeTask = operation({
  name: "complete_task",
  method: "POST",
  path: "/",
  summary: "Report a task: its output or its error, with the artifacts and messages it made, in one commit.",
  callers: ["user", "secret"],
  body: "json",
  input: report,
  output: reported,
  statuses: [200],
  errors: [
    "forbidden",
    "project_not_active",
    "task_not_found",
    "task_lease_lost",
    "task_already_reported",
    "artifact_conflict",
    "session_not_found",
    "too_many_messages",
  ],
  maxBodyBytes: 16 * MEBIBYTE,
});

export const completeTasks = operation({
  name: "complete_tasks",
  method: "POST",
  path: "/batch",
  summary: "Report up to 100 tasks in one commit, each for itself; answers in the order asked.",
  callers: ["user", "secret"],
  body: "json",
  input: () => z.object({ results: z.array(reportOrNone()).min(1).max(100) }),
  output: () =>
    z.object({
      results: z.array(z.union([
        reported().extend({ ok: z.literal(true) }),
        z.object({
          ok: z.literal(false),
          error: z.object({ code: z.string(), message: z.string(), details: jsonObject() }),
        }),
      ])),
    }),
  statuses: [200],
  errors: [],
  maxBodyBytes: 16 * MEBIBYTE,
});

export const decideTask = operation({
  name: "decide_task",
  method: "POST",
  path: "/decide",
  summary: "Approve or reject what waits for a person. The decision is the label that its edges are chosen by.",
  callers: ["user"],
  body: "json",
  input: () =>
    z.object({
      task_id: id(),
      decision: z.enum(["approved", "rejected"]),
      comment: z.string().max(10_000).optional(),
    }),
  output: reported,
  statuses: [200],
  errors: [
    "forbidden",
    "project_not_active",
    "task_not_found",
    "task_not_waiting",
    "already_decided",
    "payload_too_large",
  ],
});

export const operations = [claimTasks, heartbeatTask, releaseTask, completeTask, completeTasks, decideTask];
