// The operations of upload-file, loaded by the first request that needs one.
import { upload } from "./upload_file.ts";

export const routes = [upload];
