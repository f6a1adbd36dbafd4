// Checks a PostgreSQL of the user's own before anything is done to it.
import { connect } from "./platform.ts";
import { messageOf, UserError } from "./user_error.ts";

/** The version that the migrations are written for. */
const OLDEST = 17;

export interface CheckOptions {
  /** Gives the check up. */
  signal?: AbortSignal;
  /** How long the database may take to answer, in milliseconds. */
  patience?: number;
}

function isReadable(databaseUrl: string): boolean {
  try {
    return /^postgres(ql)?:\/\//.test(decodeURIComponent(databaseUrl));
  } catch {
    return false;
  }
}

/** The URL without its password, to be shown. */
function printable(databaseUrl: string): string {
  try {
    const url = new URL(databaseUrl);
    return url.host ? `${url.host}${url.pathname}` : url.protocol;
  } catch {
    return databaseUrl;
  }
}

/**
 * What a query answers, unless it takes too long. postgres.js tries for ever where something (a port that is passed on to a
 * server which is not there yet, say) lets it in and closes the connection.
 */
async function inTime<Answer>(query: PromiseLike<Answer>, options: CheckOptions): Promise<Answer> {
  const { signal, patience = 15_000 } = options;
  const over = Promise.withResolvers<never>();
  const timer = setTimeout(() => over.reject(new Error("it does not answer")), patience);
  const giveUp = () => over.reject(signal?.reason);
  signal?.addEventListener("abort", giveUp);
  try {
    signal?.throwIfAborted();
    return await Promise.race([query, over.promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", giveUp);
  }
}

/**
 * Throws UserError when the database cannot be reached, is too old, takes no changes, or is a Supabase project's, and when
 * the role may not create what the platform has.
 */
export async function checkExternalDatabase(databaseUrl: string, options: CheckOptions = {}): Promise<void> {
  const place = printable(databaseUrl);
  if (!isReadable(databaseUrl)) {
    throw new UserError(`--database-url must be like postgresql://user:password@host:5432/database: got ${place}.`);
  }
  const sql = connect(databaseUrl, { connect_timeout: 10 });
  try {
    const query = sql`
      select current_setting('server_version') as version, current_setting('server_version_num')::int / 10000 as major,
             (select rolsuper from pg_roles where rolname = current_user) as superuser, current_user as role,
             pg_is_in_recovery() or current_setting('transaction_read_only')::boolean as is_read_only, exists (
               select from pg_class where relname = 'schema_migrations' and relnamespace = to_regnamespace('auth')
             ) as has_auth`;
    const [row] = await inTime(query, options);
    if (row.major < OLDEST) {
      throw new UserError(
        `The database at ${place} is PostgreSQL ${row.version}: version ${OLDEST} or newer is needed.`,
      );
    }
    // The Auth service's own table: our stand-ins would replace the platform's functions, and could not use its tables.
    if (row.has_auth) {
      throw new UserError(
        `The database at ${place} belongs to a Supabase project: push the migrations to it with the CLI instead.`,
      );
    }
    if (row.is_read_only) {
      throw new UserError(`The database at ${place} takes no changes: it is a replica, or set to be read only.`);
    }
    if (!row.superuser) {
      throw new UserError(
        `The role ${row.role} at ${place} is not a superuser: it cannot create what the platform has (roles, schemas).`,
      );
    }
  } catch (thrown) {
    if (thrown instanceof UserError || options.signal?.aborted) throw thrown;
    throw new UserError(`Cannot connect to the database at ${place}: ${messageOf(thrown)}.`);
  } finally {
    await sql.end({ timeout: 1 }).catch(() => {});
  }
}
