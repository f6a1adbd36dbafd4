// The function save-artifact: versioned text files of a project.
import { createApp } from "../_shared/app.ts";

export default createApp("save-artifact", () => import("./operations.ts"));
