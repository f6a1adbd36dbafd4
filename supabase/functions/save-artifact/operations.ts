// The operations of save-artifact, loaded by the first request that needs one.
import { history } from "./artifact_history.ts";
import { snapshot } from "./artifact_snapshot.ts";
import { remove } from "./delete_artifact.ts";
import { restore } from "./restore_artifact.ts";
import { revert } from "./revert_execution.ts";
import { save } from "./save_artifact.ts";

export const routes = [save, remove, restore, revert, history, snapshot];
