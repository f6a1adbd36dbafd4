// POST /: starts an execution; the header Idempotency-Key makes a repeated request give the same one.
import { lazy } from "../../../shared/contract/operation.ts";
import { startWorkflow } from "../../../shared/contract/start-workflow.ts";
import { route } from "../_shared/route.ts";
import { callDoor } from "../_shared/database.ts";
import { OperationError } from "../_shared/errors.ts";

const answerShape = lazy(() => startWorkflow.output.pick({ replayed: true }));

export const start = route(startWorkflow, async (input, context) => {
  const key = context.req.header("idempotency-key");
  if (key !== undefined && !startWorkflow.input.shape.idempotency_key.safeParse(key).success) {
    throw new OperationError(
      "validation_failed",
      "The Idempotency-Key must have 1 to 255 characters.",
      {
        fields: [{
          path: "idempotency-key",
          message: "must have 1 to 255 characters",
        }],
      },
    );
  }
  const answer = await callDoor(context, "start_workflow", {
    ...input,
    idempotency_key: key ?? input.idempotency_key,
  });
  const { replayed } = answerShape().parse(answer);
  return { body: answer, status: replayed ? 200 : 201 };
});
