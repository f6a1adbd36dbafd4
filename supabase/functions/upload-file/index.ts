// The function upload-file: binary files of a project, in the bucket genesis-files.
import { createApp } from "../_shared/app.ts";

export default createApp("upload-file", () => import("./operations.ts"));
