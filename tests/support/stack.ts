// The running stack that the tests talk to: any Supabase whose URL and keys are in the environment.

function read(name: string): string {
  const value = Deno.env.get(name);
  if (!value) throw new Error(`${name} is not set: run the tests with \`deno task test\`, or point it at a stack.`);
  return value;
}

export const stack = {
  get url() {
    return read("SUPABASE_URL");
  },
  get publishableKey() {
    return read("SUPABASE_PUBLISHABLE_KEY");
  },
  get secretKey() {
    return read("SUPABASE_SECRET_KEY");
  },
  get databaseUrl() {
    return read("SUPABASE_DB_URL");
  },
  get jwtSecret() {
    return read("SUPABASE_JWT_SECRET");
  },
  /** A superuser of the cluster, to make databases; only `deno task test` sets it. */
  get adminDatabaseUrl() {
    return read("TEST_ADMIN_DB_URL");
  },
};
