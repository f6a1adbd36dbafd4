// The one place that reads the environment. It fails at start with the names of what is missing, so that a wrong
// deployment is seen at once and not at the first request that needs the value.

/** The platform sets these; self-hosted installations may have the singular names only. */
const REQUIRED = [
  ["SUPABASE_URL"],
  ["SUPABASE_PUBLISHABLE_KEYS", "SUPABASE_PUBLISHABLE_KEY"],
  ["SUPABASE_SECRET_KEYS", "SUPABASE_SECRET_KEY"],
  ["SUPABASE_JWKS", "SUPABASE_JWKS_URL"],
];

const missing = REQUIRED.filter((names) => !names.some((name) => Deno.env.get(name))).map((names) =>
  names.join(" or ")
);
if (missing.length > 0) {
  throw new Error(`Cannot start as the environment lacks ${missing.join(", ")}: set it in the function's secrets.`);
}

const supabaseUrl = Deno.env.get("SUPABASE_URL") ?? "";

/** The key named `default`, or the only one there is. */
function defaultKey(kind: "PUBLISHABLE" | "SECRET"): string {
  const named: unknown = JSON.parse(Deno.env.get(`SUPABASE_${kind}_KEYS`) ?? "{}");
  const keys = typeof named === "object" && named !== null ? Object.entries(named) : [];
  const key = keys.find(([name]) => name === "default")?.[1] ?? keys[0]?.[1];
  return typeof key === "string" ? key : Deno.env.get(`SUPABASE_${kind}_KEY`) ?? "";
}

export const env = {
  /** Where the function itself reaches the other services: beside a gateway of its own that is a name nobody else knows. */
  supabaseUrl,
  /** Where everybody else does: links lead there. Self-hosted it is given; the CLI lets nobody set a name like that. */
  publicUrl: (Deno.env.get("SUPABASE_PUBLIC_URL") || Deno.env.get("PUBLIC_URL") || supabaseUrl).replace(/\/+$/, ""),
  publishableKey: defaultKey("PUBLISHABLE"),
  /** For the services beside the database (mail, files); operations run as their caller. */
  secretKey: defaultKey("SECRET"),
  /**
   * Where the database itself is. Operations are called there directly, in one round trip; with `DATABASE_CALLS=api`, or
   * where it is not given, through the Data API.
   */
  databaseUrl: Deno.env.get("DATABASE_CALLS") === "api" ? undefined : Deno.env.get("SUPABASE_DB_URL"),
  /** Where people's browsers are: the links in mails lead there. */
  siteUrl: (Deno.env.get("SITE_URL") ?? "http://127.0.0.1:3000").replace(/\/+$/, ""),
  /** The local stack keeps mail itself; everywhere else a service has to send it. */
  isLocal: ["127.0.0.1", "localhost"].includes(new URL(supabaseUrl).hostname),
  /** Image transformation is part of the platform's paid plans; `off` makes thumbnails plain links to the original. */
  hasImageTransforms: Deno.env.get("IMAGE_TRANSFORMS") !== "off",
  resendUrl: Deno.env.get("RESEND_URL") ?? "https://api.resend.com",
  resendApiKey: Deno.env.get("RESEND_API_KEY"),
  mailFrom: Deno.env.get("MAIL_FROM") ?? "Genesis Engine <no-reply@example.com>",
} as const;
