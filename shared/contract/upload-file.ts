// Contract of the function upload-file: binary files of a project, in the bucket genesis-files, and links to them.
import * as z from "zod";
import { lazy, operation } from "./operation.ts";
import { id, jsonObject, time } from "./values.ts";

/** Largest file in bytes, equal to the bucket's limit (config.toml and the migration; a repository test compares). */
export const MAX_FILE_BYTES = 52_428_800;

/** What the form may hold beside the file, in bytes. */
export const FORM_BYTES = 65_536;

/** How long a link to a file's bytes lives, in seconds, where the caller asks for nothing else. */
export const LINK_SECONDS = 300;

/** How long the visitor of a link or a share has to begin the download, in seconds. */
export const SHARED_LINK_SECONDS = 60;

export const file = lazy(() =>
  z.object({
    id: id(),
    project_id: id(),
    bucket_name: z.string(),
    /** Where its object is in the bucket. */
    file_path: z.string(),
    /** For people. */
    file_name: z.string(),
    /** In bytes; while it is pending as it was announced, if it was, like the type. */
    file_size: z.int().nullable(),
    /** What the bytes are. */
    mime_type: z.string().nullable(),
    /** In hexadecimal digits; null while it is pending. */
    sha256: z.string().nullable(),
    /** `pending` until what was uploaded is there and looked at. */
    status: z.enum(["pending", "ready"]),
    metadata: jsonObject(),
    /** The person; null for a worker. */
    uploaded_by: id().nullable(),
    created_at: time(),
  })
);

const NO_TYPE = "is not a media type such as image/png; application/octet-stream has the bytes say which it is";

/** A type and a subtype; parameters such as a charset may follow. Storage would take what is called a form for one. */
export const mediaType = () =>
  z.string().max(255).regex(/^[\w.+-]+\/[\w.+-]+(\s*;.*)?$/, NO_TYPE)
    .refine((type) => !/^multipart\/form-data/i.test(type), "is what a form is, and no file");

const named = () => ({
  /** Where the file belongs in the project, for people; not where it is stored. */
  path: z.string().min(1).max(1024).optional(),
});

const withLink = () =>
  z.object({
    file: file(),
    /** A link to the bytes for whoever has it, while who got it may read the file. */
    signed_url: z.url(),
    /** When the link ends. */
    expires_at: time(),
  });

export const uploadFile = operation({
  name: "upload_file",
  method: "POST",
  path: "/",
  summary: "Upload a file as multipart/form-data: project_id (first), file, and optionally path. Streamed, at most " +
    "50 MiB. What the bytes are is found out, and a content type that is not true is refused.",
  callers: ["user", "secret"],
  rpc: [],
  body: "multipart",
  /** The fields beside `file`. */
  input: () =>
    z.object({
      /** To be sent before the file. */
      project_id: z.guid({
        error: ({ input }) => input === undefined ? "is missing: send it before the file" : "Invalid UUID",
      }),
      ...named(),
    }),
  output: withLink,
  statuses: [201],
  errors: ["forbidden", "project_not_found", "project_not_active", "too_many_uploads", "upload_expired", "unavailable"],
  maxBodyBytes: MAX_FILE_BYTES + FORM_BYTES,
});

export const signUpload = operation({
  name: "sign_upload",
  method: "POST",
  path: "/signed",
  summary: "Begin a direct or resumable upload: `storage.from(upload.bucket).uploadToSignedUrl(upload.path, " +
    "upload.token, body)`, or any TUS client with `upload.resumable`. The file is nobody's until /finish.",
  callers: ["user", "secret"],
  body: "json",
  input: () =>
    z.object({
      project_id: id(),
      /** For people; the last part of what is sent is kept. */
      file_name: z.string().min(1).max(1024),
      /** In bytes, at most 50 MiB: what arrives must have this size. */
      file_size: z.int().min(0),
      /** What arrives must be of this type. */
      mime_type: mediaType(),
      ...named(),
    }),
  output: () =>
    z.object({
      /** For `/finish`. */
      file_id: id(),
      upload: z.object({
        /** Where a PUT of the bytes goes. */
        url: z.url(),
        token: z.string(),
        bucket: z.string(),
        /** Where its object will be in the bucket. */
        path: z.string(),
        /** For any TUS client, in pieces of this size; the bytes have to be there before `expires_at`. */
        resumable: z.object({
          url: z.url(),
          /** The size of a piece. */
          chunk_bytes: z.int(),
          headers: z.record(z.string(), z.string()),
          metadata: z.record(z.string(), z.string()),
        }),
      }),
      /** Until when the bytes have to be there. */
      expires_at: time(),
    }),
  statuses: [201],
  errors: ["forbidden", "project_not_found", "project_not_active", "too_many_uploads", "upload_expired", "unavailable"],
});

export const finishUpload = operation({
  name: "finish_upload",
  method: "POST",
  path: "/finish",
  summary:
    "Finish a direct upload: reads what arrived, and makes the file ready where size and type are as declared. " +
    "Where they are not, the upload is taken back. Sent again, it answers the file that is ready.",
  callers: ["user", "secret"],
  rpc: ["secret"],
  body: "json",
  input: () =>
    z.object({
      /** As `/signed` answered it. */
      file_id: id(),
    }),
  output: withLink,
  statuses: [200],
  errors: ["forbidden", "project_not_active", "file_not_found", "upload_expired", "unavailable"],
});

export const downloadFile = operation({
  name: "download_file",
  method: "GET",
  path: "/:file_id",
  summary:
    "A short-lived link to the file's bytes. `download` names the file for saving; `width`, `height`, `resize` " +
    "and `quality` ask for a thumbnail of an image: `transformed` says whether the link leads to one, or to the original.",
  callers: ["user", "secret"],
  body: "none",
  input: () =>
    z.object({
      file_id: id(),
      /** How long the link lives. */
      expires_in_seconds: z.coerce.number().int().min(1).max(3600).default(LINK_SECONDS),
      /** Whether a browser saves it under its name instead of showing it. */
      download: z.stringbool().default(false),
      /** In pixels. */
      width: z.coerce.number().int().min(1).max(2500).optional(),
      /** In pixels. */
      height: z.coerce.number().int().min(1).max(2500).optional(),
      /** What is done where both are given: fill and cut off (`cover`, where absent), fit inside, or stretch. */
      resize: z.enum(["cover", "contain", "fill"]).optional(),
      /** In percent; 80 where absent. */
      quality: z.coerce.number().int().min(20).max(100).optional(),
    }),
  output: () =>
    withLink().extend({
      /** Whether the link leads to a thumbnail as asked for. */
      transformed: z.boolean(),
    }),
  statuses: [200],
  errors: ["file_not_found", "unavailable"],
});

export const openLink = operation({
  name: "open_link",
  method: "GET",
  path: "/content/:token",
  summary: "Where a `signed_url` leads: redirects to Storage, while who got the link may read the file. For anyone.",
  callers: [],
  rpc: ["secret"],
  body: "none",
  input: () => z.object({ token: z.string().max(1000) }),
  output: () => z.null(),
  statuses: [302],
  errors: ["file_not_found", "unavailable"],
});

export const deleteFile = operation({
  name: "delete_file",
  method: "DELETE",
  path: "/:file_id",
  summary: "Delete a file: its object, its row and its shares, in one step. For who uploaded it, and for owners.",
  callers: ["user", "secret"],
  body: "none",
  input: () => z.object({ file_id: id() }),
  output: () => z.null(),
  statuses: [204],
  errors: ["forbidden", "project_not_active", "file_not_found", "unavailable"],
});

export const shareFile = operation({
  name: "share_file",
  method: "POST",
  path: "/share",
  summary: "Make a link that lets anyone who has it download the file, until it expires, is used up or is revoked.",
  callers: ["user", "secret"],
  body: "json",
  input: () =>
    z.object({
      file_id: id(),
      /** A minute to 30 days. */
      expires_in_seconds: z.int().min(60).max(2_592_000),
      /** As many as come where absent. */
      max_downloads: z.int().min(1).max(1_000_000).optional(),
    }),
  output: () =>
    z.object({
      share_id: id(),
      /** The link, with the token, which is in this answer only. */
      url: z.url(),
      expires_at: time(),
      max_downloads: z.int().nullable(),
    }),
  statuses: [201],
  errors: ["forbidden", "project_not_active", "file_not_found", "too_many_shares"],
});

export const openShare = operation({
  name: "open_share",
  method: "GET",
  path: "/shared/:token",
  summary: "Go to a shared file: counts one download and redirects to a link that lives a minute. For anyone.",
  callers: [],
  rpc: ["secret"],
  body: "none",
  input: () => z.object({ token: z.string().max(200) }),
  output: () => z.null(),
  statuses: [302],
  counts: true,
  errors: ["share_not_found", "share_expired", "unavailable"],
});

export const revokeShare = operation({
  name: "revoke_share",
  method: "DELETE",
  path: "/share/:share_id",
  summary: "Revoke a share. For who made it, and for owners.",
  callers: ["user", "secret"],
  body: "none",
  input: () => z.object({ share_id: id() }),
  output: () => z.null(),
  statuses: [204],
  errors: ["forbidden", "share_not_found"],
});

export const reconcileFiles = operation({
  name: "reconcile_files",
  method: "POST",
  path: "/reconcile",
  summary: "Mend what faults left: uploads given up are taken back, rows without an object go, objects without a row " +
    "become files or, without bytes, go. Call again while `more` is true. For workers, and for owners of `project_id`.",
  callers: ["user", "secret"],
  body: "json",
  input: () =>
    z.object({
      /** Where absent, all projects: for workers alone. */
      project_id: id().optional(),
      /** What began less than this ago counts as under way; by default 15 minutes, and 3 hours for a signed upload. */
      older_than_seconds: z.int().min(0).max(86_400).optional(),
      /** How many of each kind at the most. */
      limit: z.int().min(1).max(100).default(25),
    }),
  output: () =>
    z.object({
      removed: z.array(
        z.object({
          file_path: z.string(),
          /** It was never finished; its object or its bytes are gone; or its project is. */
          reason: z.enum(["upload_given_up", "object_missing", "bytes_missing", "project_gone"]),
        }),
      ),
      /** Objects that are files now. */
      adopted: z.array(file()),
      /** Objects without a row that Storage did not give back; tried again after an hour. */
      unreadable: z.array(z.object({ file_path: z.string() })),
      /** Whether another call would find something. */
      more: z.boolean(),
    }),
  statuses: [200],
  errors: ["forbidden", "project_not_found", "project_not_active", "unavailable"],
});

export const operations = [
  uploadFile,
  signUpload,
  finishUpload,
  downloadFile,
  openLink,
  deleteFile,
  shareFile,
  openShare,
  revokeShare,
  reconcileFiles,
];
