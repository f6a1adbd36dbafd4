// Contract of the function complete-task: how a worker gets work, keeps it and reports it.
import * as z from "zod";
import { lazy, operation } from "./operation.ts";
import { artifactMetadata, execution, id, json, jsonObject, MEBIBYTE, task, time } from "./values.ts";

const leaseSeconds = lazy(() => z.int().min(1).max(86_400));

const leased = () => ({
  task_id: id(),
  /** As the claim answered it. */
  lease_token: id(),
});

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
      /** What it can do: it gets tasks of these types alone, each of 1 to 63 characters. */
      agent_types: z.array(z.string().min(1).max(63)).min(1).max(100),
      /** How many at the most, 1 where absent. Fewer may come although more are waiting. */
      limit: z.int().min(1).max(100).optional(),
      /** How long they are held without a heartbeat, 60 where absent; never beyond a node's `timeout_seconds`. */
      lease_seconds: leaseSeconds().optional(),
      /** Of this project alone; where absent, projects take turns. */
      project_id: id().optional(),
      /** Of this execution alone, and of those that run inside it. */
      execution_id: id().optional(),
    }),
  output: () =>
    z.object({
      tasks: z.array(z.object({
        id: id(),
        /** Says that this worker holds it. */
        lease_token: id(),
        /** When it goes to another worker, unless a heartbeat or the report comes before. */
        lease_expires_at: time(),
        /** The execution that it is a task of: the one asked for, or one inside it. */
        execution_id: id(),
        project_id: id(),
        node_id: z.string(),
        agent_type: z.string(),
        /** The agent of the project that the node names. */
        agent_id: id().nullable(),
        /** From 1. */
        attempt: z.int(),
        max_attempts: z.int(),
        /** Which element of its map's list, from 0; null for any other task. */
        map_index: z.int().nullable(),
        /** The turn of the loop that it lies in, from 0. */
        iteration: z.int(),
        /** What the node takes of the state, as that was when the task became pending; at most 1 MiB. */
        input_data: json(),
      })),
      /** Where the claim names an execution, and others run inside it: all of these, a hundred at most. */
      executions: z.array(id()).optional(),
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
  input: () =>
    z.object({
      ...leased(),
      /** Counted from now, 60 where absent; never beyond the node's `timeout_seconds`. */
      lease_seconds: leaseSeconds().optional(),
    }),
  output: () =>
    z.object({
      /** null where the task is cancelled. */
      lease_expires_at: time().nullable(),
      /** The execution has ended, or goes on without this task: stop. Nothing is to be reported. */
      cancelled: z.boolean(),
    }),
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
  input: () => z.object(leased()),
  output: () => z.object({ task: task() }),
  statuses: [200],
  errors: ["forbidden", "project_not_active", "task_not_found", "task_lease_lost"],
});

/** A file that a task brings along, with the fields of save-artifact but project and task; or one that it deletes. */
const taskArtifact = lazy(() =>
  z.discriminatedUnion("deleted", [
    z.object({
      /** Relative and normalised, at most 1,024 bytes of UTF-8. */
      file_path: z.string().min(1).max(1024),
      /** `true` deletes the file, and no `content` is sent. */
      deleted: z.literal(true),
      /** The version the change was made from; 0 says that there must be no such file. A file that has moved on refuses the report. */
      base_version: z.int32().min(0).optional(),
    }),
    z.object({
      file_path: z.string().min(1).max(1024),
      deleted: z.literal(false).optional(),
      /** At most 1 MiB of UTF-8. */
      content: z.string().max(MEBIBYTE),
      /** For people; where absent that of the version before, at first the last part of the path. */
      name: z.string().min(1).max(255).optional(),
      /** Where absent that of the version before, like `type` and `metadata`. */
      language: z.string().max(100).optional(),
      /** `file` where absent and new. */
      type: z.enum(["file", "component", "snippet"]).optional(),
      /** At most 16 KiB as JSON; `{}` takes away what there was. */
      metadata: artifactMetadata().optional(),
      base_version: z.int32().min(0).optional(),
    }),
  ])
);

const taskMessage = lazy(() =>
  z.object({
    /** A chat session of the task's project. */
    session_id: id(),
    /** At most 1 MiB of UTF-8. */
    content: z.string().min(1).max(MEBIBYTE),
    /** Where absent `assistant` for a worker and `user` for a person; nobody speaks in the role of the other. */
    role: z.enum(["user", "assistant", "system"]).optional(),
    /** What the message shows, in whatever shape the chat's page reads. */
    artifacts: z.array(json()).optional(),
    metadata: jsonObject().optional(),
  })
);

export const report = lazy(() =>
  z.object({
    ...leased(),
    status: z.enum(["completed", "failed"]),
    /** What it made, at most 1 MiB: goes into the state, an object channel by channel, anything else under the node's id. */
    output_data: json().optional(),
    /** Why it failed; at most 1 MiB. */
    error_message: z.string().max(MEBIBYTE).optional(),
    /** How long the work took, in milliseconds. */
    execution_time_ms: z.int32().min(0).optional(),
    /** The branch the worker chose, where the node's edges are labelled. */
    label: z.string().max(200).optional(),
    /** Files that it wrote or deleted, saved with the report or not at all. */
    artifacts: z.array(taskArtifact()).max(100).optional(),
    /** What it says in chats, said with the report or not at all. */
    messages: z.array(taskMessage()).max(100).optional(),
  })
);

/** What is no report is let through, so that it is refused alone; the types of a client name reports only. */
const reportOrNone = lazy(() => z.union([report(), json()]) as unknown as ReturnType<typeof report>);

/** A batch whose reports are still to be looked at, each for itself. */
export const reports = lazy(() => z.object({ results: z.array(z.any()).min(1).max(100) }));

const reported = lazy(() =>
  z.object({
    task: task(),
    execution: execution(),
    /** The tasks of its execution that may begin now; of very many, the first hundred. */
    unlocked: z.array(task()),
  })
);

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
  input: () =>
    z.object({
      /** Each as `POST /complete-task` takes it. */
      results: z.array(reportOrNone()).min(1).max(100),
    }),
  output: () =>
    z.object({
      results: z.array(z.union([
        reported().extend({
          /** Whether this report was taken; `error` says why it was not. */
          ok: z.literal(true),
        }),
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
      /** Kept with the decision. */
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
