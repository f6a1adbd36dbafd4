// A snapshot as a zip that is made while it is sent: one page of files in memory at a time, all of one moment. Names are
// artifact paths, which the database keeps relative, so unpacking writes nowhere else; a failure on the way breaks the
// download off instead of ending it as if it were whole.
import * as z from "zod";
import { artifact } from "../../../shared/contract/save-artifact.ts";
import type { AppContext } from "../_shared/auth.ts";
import { callDoor } from "../_shared/database.ts";
import { archive } from "./archive.ts";

interface Query {
  project_id: string;
  at?: string | undefined;
  execution_id?: string | undefined;
  after?: string | undefined;
}

const pageShape = z.object({ at: z.string(), files: z.array(artifact()), next_after: z.string().nullable() });

/** The whole snapshot from `query.after` on. What is refused is refused before the download begins. */
export async function zipSnapshot(context: AppContext, { project_id, at, execution_id, after }: Query) {
  const read = async (query: Query) =>
    pageShape.parse(await callDoor(context, "artifact_snapshot", { ...query, with_content: true }));
  const first = await read({ project_id, at, execution_id, after });

  async function* files() {
    for (let page = first;; page = await read({ project_id, at: first.at, after: page.next_after ?? undefined })) {
      for (const { file_path, content, created_at } of page.files) {
        yield { name: file_path, input: content, lastModified: new Date(created_at) };
      }
      if (page.next_after === null) return;
    }
  }

  const moment = first.at.slice(0, 19).replaceAll(":", "");
  return new Response(archive(files()), {
    headers: {
      // Not application/zip: supabase-js reads what it does not know as text, and text is not the archive's bytes.
      "content-type": "application/octet-stream",
      "content-disposition": `attachment; filename="project-${project_id}-${moment}.zip"`,
    },
  });
}
