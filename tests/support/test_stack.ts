// A stack of its own with the migrated template database in it: what `deno task test` and `deno task bench` run against.
import { fileURLToPath } from "node:url";
import { readConfig } from "../../local/config.ts";
import { applyMigrationFiles } from "../../local/migrate.ts";
import { applyPlatform, connect } from "../../local/platform.ts";
import { startStack } from "../../local/stack.ts";
import { TEMPLATE } from "./database.ts";
import { freePort } from "./free_port.ts";

const CONFIG = fileURLToPath(new URL("../../supabase/config.toml", import.meta.url));

export interface TestStack extends AsyncDisposable {
  /** What `tests/support/stack.ts` reads. */
  env: Record<string, string>;
}

/** The database that test files clone: migrated once, by the files themselves. */
async function prepareTemplate(adminUrl: string, ownerUrl: string): Promise<void> {
  const admin = connect(adminUrl);
  await admin.unsafe(`drop database if exists ${TEMPLATE} with (force)`);
  await admin.unsafe(`create database ${TEMPLATE} template template0`);
  await admin.end();
  const inTemplate = (url: string) => Object.assign(new URL(url), { pathname: `/${TEMPLATE}` }).href;
  await applyPlatform(inTemplate(adminUrl));
  await applyMigrationFiles(inTemplate(ownerUrl), await readConfig(CONFIG));
}

/** Starts a stack in a temporary directory. `await using started = await startTestStack()` stops and removes it. */
export async function startTestStack(log?: (line: string) => void): Promise<TestStack> {
  const directory = await Deno.makeTempDir({ prefix: "genesis-test-" });
  // As root the database runs as another user, who has to get at it.
  await Deno.chmod(directory, 0o755);
  const remove = () => Deno.remove(directory, { recursive: true });
  const stack = await startStack({ port: freePort(), directory, progress: (step) => console.error(step), log })
    .catch(async (error) => {
      await remove();
      throw error;
    });
  const stop = async () => {
    await stack.stop();
    await remove();
  };
  try {
    await prepareTemplate(stack.adminDatabaseUrl, stack.databaseUrl);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    env: {
      SUPABASE_URL: stack.url,
      SUPABASE_PUBLISHABLE_KEY: stack.publishableKey,
      SUPABASE_SECRET_KEY: stack.secretKey,
      SUPABASE_DB_URL: stack.databaseUrl,
      SUPABASE_JWT_SECRET: stack.jwtSecret,
      TEST_ADMIN_DB_URL: stack.adminDatabaseUrl,
    },
    [Symbol.asyncDispose]: stop,
  };
}
