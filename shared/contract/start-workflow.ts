// Contract of the function start-workflow.
import * as z from "zod";
import { operation } from "./operation.ts";
import { execution, id, jsonObject, task } from "./values.ts";

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
      /** The execution's first state, an object of at most 1 MiB. */
      input: jsonObject().optional(),
      /** The header `Idempotency-Key` means the same. */
      idempotency_key: z.string().min(1).max(255).optional(),
    }),
  output: () => z.object({ execution: execution(), tasks: z.array(task()), replayed: z.boolean() }),
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

export const operations = [startWorkflow];
