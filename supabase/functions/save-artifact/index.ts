// The function save-artifact: versioned text files of a project.
import { createApp } from "../_shared/app.ts";
import { save } from "./save_artifact.ts";

export default { fetch: createApp("save-artifact", [save]).fetch };
