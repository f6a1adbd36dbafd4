// No change of a whole table by accident: the platform's Data API sessions load safeupdate, which refuses an UPDATE and a
// DELETE without a WHERE.
import type { PostgresConnection } from "@supabase/lite/postgres";
import { Refused } from "./postgrest_errors.ts";

type Introspection = Awaited<ReturnType<PostgresConnection["introspect"]>>;

const VERBS: Record<string, string> = { PATCH: "UPDATE", DELETE: "DELETE" };

/** Parameters that do not choose rows. */
const NOT_FILTERS = new Set(["select", "columns", "order", "limit", "offset", "on_conflict"]);

/** A change that no filter restricts. */
export class Unrestricted extends Refused {
  constructor(verb: string) {
    super(`${verb} requires a WHERE clause`);
  }

  get response(): Response {
    return Response.json({ code: "21000", details: null, hint: null, message: this.message }, { status: 400 });
  }
}

/** @throws {Unrestricted} where the request would change or delete all rows of a table without saying so */
export async function mustBeRestricted(request: Request, { tables }: Introspection): Promise<void> {
  const verb = VERBS[request.method];
  if (verb === undefined) return;
  const { pathname, searchParams } = new URL(request.url);
  if (searchParams.keys().some((name) => !NOT_FILTERS.has(name))) return;
  // What is no table is refused as that.
  if (!tables.some(({ name }) => pathname === `/rest/v1/${name}`)) return;
  // For PostgREST a change of no column is none.
  if (verb === "UPDATE" && /^[\s{}[\]]*$/.test(await request.clone().text())) return;
  throw new Unrestricted(verb);
}
