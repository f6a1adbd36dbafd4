// Shapes that several operations share: ids, times, tasks and executions as the database answers them.
import * as z from "zod";
import type { Json } from "../database.types.ts";
import { lazy } from "./operation.ts";

export const MEBIBYTE = 1_048_576;

/** Any that PostgreSQL takes: what was seeded by hand or imported may be of no version (`11111111-1111-…`). */
export const id = lazy(() => z.guid({ error: ({ code }) => code === "invalid_format" ? "Invalid UUID" : undefined }));
export const time = lazy(() => z.iso.datetime({ offset: true }));

/** A time that a caller names: one that PostgreSQL writes with four digits, in UTC too. */
export const moment = lazy(() =>
  time().refine((text) => {
    const year = new Date(text).getUTCFullYear();
    return year >= 1 && year <= 9999;
  }, "must be in the years 1 to 9999")
);

/** JSON of any shape; the request reader has already refused what PostgreSQL cannot store. */
export const json = lazy((): z.ZodType<Json> => z.any());
export const jsonObject = lazy((): z.ZodType<{ [key: string]: Json }> => z.record(z.string(), z.any()));

/** What comes along with a version of a file, read by all who read the project's files: at most 16 KiB as JSON. */
export const artifactMetadata = lazy(() =>
  jsonObject().refine(
    (metadata) => new TextEncoder().encode(JSON.stringify(metadata)).length <= 16_384,
    "must have at most 16 KiB as JSON",
  )
);

export const task = lazy(() =>
  z.object({
    id: id(),
    execution_id: id(),
    /** The node of the graph that it is the task of. */
    node_id: z.string(),
    node_type: z.enum(["agent", "map", "approval", "workflow"]),
    /** What a worker names to get it; `map`, `approval` or `workflow` where the node has no agent type. */
    agent_type: z.string(),
    /** `blocked` waits for other tasks, `pending` for a worker, `waiting` for elements, people or a workflow inside. */
    status: z.enum(["blocked", "pending", "running", "waiting", "completed", "failed", "skipped", "cancelled"]),
    /** How often it was claimed; what was given back by a release does not count. */
    attempt: z.int(),
    max_attempts: z.int(),
    /** The turn of the loop that it lies in, from 0. */
    iteration: z.int(),
    /** Which element of its map's list, from 0; null for any other task. */
    map_index: z.int().nullable(),
    /** The higher comes first. */
    priority: z.int(),
    /** From when on it can be claimed, once it is pending. */
    available_at: time(),
    /** The branch that its report or its decision chose. */
    label: z.string().nullable(),
    error_message: z.string().nullable(),
    /** As its worker reported it. */
    execution_time_ms: z.int().nullable(),
    /** Of the last attempt. */
    started_at: time().nullable(),
    completed_at: time().nullable(),
  })
);

export const execution = lazy(() =>
  z.object({
    id: id(),
    workflow_id: id(),
    project_id: id(),
    /** The published version that it runs to its end. */
    version: z.int(),
    status: z.enum(["pending", "running", "completed", "failed", "cancelled"]),
    /** Why it failed, or the reason given for cancelling it. */
    error_message: z.string().nullable(),
    /** The task that this execution runs inside of. */
    parent_task_id: id().nullable(),
    /** The execution that this one is a fork of. */
    forked_from: id().nullable(),
    /** The person who started it; null for a worker. */
    started_by: id().nullable(),
    started_at: time().nullable(),
    completed_at: time().nullable(),
    created_at: time(),
  })
);
