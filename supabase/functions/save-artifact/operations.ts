// The operations of save-artifact, loaded by the first request that needs one.
import { save } from "./save_artifact.ts";

export const routes = [save];
