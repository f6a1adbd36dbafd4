// GET /start-workflow/executions/:execution_id/changes over HTTP: the log with the rows it tells of.
import { followExecution } from "../../shared/contract/start-workflow.ts";
import { testReading } from "./reading.ts";

testReading(followExecution, "/changes");
