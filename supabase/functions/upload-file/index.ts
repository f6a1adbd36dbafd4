// The function upload-file: binary files of a project, in the bucket genesis-files.
import { createApp } from "../_shared/app.ts";
import { upload } from "./upload_file.ts";

export default { fetch: createApp("upload-file", [upload]).fetch };
