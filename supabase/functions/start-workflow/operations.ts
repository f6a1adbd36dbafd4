// The operations of start-workflow, loaded by the first request that needs one.
import { cancel } from "./cancel_execution.ts";
import { state } from "./execution_state.ts";
import { changes } from "./follow_execution.ts";
import { fork } from "./fork_execution.ts";
import { events } from "./list_events.ts";
import { publish } from "./publish_workflow.ts";
import { retry } from "./retry_execution.ts";
import { rollBack } from "./roll_back_workflow.ts";
import { start } from "./start_workflow.ts";

export const routes = [start, publish, rollBack, cancel, retry, fork, state, events, changes];
