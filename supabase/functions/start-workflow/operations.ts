// The operations of start-workflow, loaded by the first request that needs one.
import { start } from "./start_workflow.ts";

export const routes = [start];
