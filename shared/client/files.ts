// The files of a project: uploads go through the function that measures and hashes them, reads straight to Storage.
import { call, type Client } from "./call.ts";
import { dataOf, storedOf } from "./error.ts";
import { inTime } from "./in_time.ts";
import { OPERATIONS, type OutputOf } from "./operations.ts";
import { asSomebody } from "./person.ts";
import { type UploadOptions, uploadTo } from "./upload.ts";

const BUCKET = "genesis-files";
const COLUMNS =
  "id, project_id, bucket_name, file_path, file_name, file_size, mime_type, sha256, status, metadata, uploaded_by, created_at";

export type StoredFile = OutputOf<"uploadFile">["file"];

export interface Files {
  /** Uploads, above 6 MiB straight to Storage; answers the file with a link that works for a while. */
  upload(file: Blob, options?: UploadOptions): Promise<OutputOf<"uploadFile">>;
  /** The newest first. */
  list(options?: { limit?: number; signal?: AbortSignal }): Promise<StoredFile[]>;
  /** A link to read a file without a credential, for five minutes or so many seconds, an hour at most; it ends with membership. */
  url(file: Pick<StoredFile, "id">, options?: { seconds?: number; download?: boolean }): Promise<string>;
  download(file: Pick<StoredFile, "file_path">): Promise<Blob>;
  /** Deletes the file with its shares; for who uploaded it, and for owners. */
  remove(file: Pick<StoredFile, "id">): Promise<void>;
}

/** A name for supabase-js, which puts it into an address as it is: there a `?` means something else, a last space nothing. */
const inAddress = (name: string) => name.replace(/[?#]| +$/g, (part) => encodeURIComponent(part));

/** Storage helpers of one project. Every method throws GenesisError. */
export function filesOf(supabase: Client, projectId: string): Files {
  const bucket = () => supabase.storage.from(BUCKET);
  return {
    async upload(file, options = {}) {
      return await uploadTo(supabase, projectId, file, options);
    },
    list: ({ limit = 100, signal } = {}) =>
      asSomebody(supabase, async () => {
        const rows = await inTime(
          (signal) =>
            supabase.from("file_storage").select(COLUMNS).eq("project_id", projectId).eq("status", "ready")
              .order("created_at", { ascending: false }).order("id").limit(limit).abortSignal(signal),
          signal,
        );
        return dataOf(rows) as StoredFile[];
      }, signal),
    async url({ id }, { seconds, download } = {}) {
      const input = { file_id: id, expires_in_seconds: seconds, download };
      return (await call(supabase, OPERATIONS.downloadFile, input) as OutputOf<"downloadFile">).signed_url;
    },
    async download({ file_path }) {
      return storedOf(await bucket().download(inAddress(file_path)));
    },
    async remove({ id }) {
      await call(supabase, OPERATIONS.deleteFile, { file_id: id });
    },
  };
}
