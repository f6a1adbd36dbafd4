// The function complete-task: how a worker gets work, keeps it and reports it.
import { createApp } from "../_shared/app.ts";

export default createApp("complete-task", () => import("./operations.ts"));
