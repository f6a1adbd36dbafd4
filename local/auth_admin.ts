// The admin API of Auth, which lite leaves out: accounts made, read, changed and deleted with the secret key, invitations by
// mail, and links for other mail. Answers and refusals are the platform's.
import type { EmailMessage } from "@supabase/lite";
import { createHash, randomInt } from "node:crypto";
import type postgres from "postgres";
import { z } from "zod";
import { AuthRefusal } from "./auth_refusal.ts";
import { authUsers, type User } from "./auth_users.ts";
import { escapeHtml } from "./mail_page.ts";

export interface AuthAdminOptions {
  /** A connection as the role that the platform's Auth uses. */
  sql: postgres.Sql;
  gatewayUrl: string;
  siteUrl: string;
  /** The invitation's template: its subject, and the path of its HTML. */
  invite?: { subject?: string; content_path?: string };
  deliver(message: EmailMessage): Promise<void>;
}

const invalid = (message: string) => new AuthRefusal(400, "validation_failed", message);
const emailExists = () =>
  new AuthRefusal(422, "email_exists", "A user with this email address has already been registered");
const userNotFound = () => new AuthRefusal(404, "user_not_found", "User not found");

/** What the database refused: an address that somebody else took meanwhile, a length of time beyond all calendars. */
function refusalOf(thrown: unknown): AuthRefusal | undefined {
  if (thrown instanceof AuthRefusal) return thrown;
  const { code, message } = Object(thrown) as { code?: string; message?: string };
  if (code === "23505") return emailExists();
  if (/^22...$/.test(code ?? "")) return invalid(message ?? "");
  if (/^[0-9A-Z]{5}$/.test(code ?? "")) return new AuthRefusal(500, "unexpected_failure", `Database error: ${message}`);
}

const Address = z.email("Unable to validate email address: invalid format");
const Metadata = z.record(z.string(), z.unknown());
const Fields = z.object({
  id: z.guid().optional(),
  email: Address.optional(),
  password: z.string().min(1).max(72).optional(),
  password_hash: z.string().optional(),
  email_confirm: z.boolean().optional(),
  user_metadata: Metadata.optional(),
  app_metadata: Metadata.optional(),
  ban_duration: z.string().regex(/^(none|(\d+(\.\d+)?(h|m|s|ms|us|ns))+)$/, "invalid format for ban duration")
    .optional(),
  role: z.string().optional(),
});
const Link = z.object({
  type: z.enum(
    ["signup", "invite", "magiclink", "recovery"],
    "Type must be signup, invite, magiclink or recovery here",
  ),
  email: Address,
  password: z.string().min(1).max(72).optional(),
  data: Metadata.optional(),
  redirect_to: z.string().optional(),
});
const Invitation = z.object({ email: Address, data: Metadata.optional() });
const Removal = z.object({ should_soft_delete: z.literal(false, "Accounts cannot be deleted softly here").optional() });

async function read<Shape extends z.ZodType>(request: Request, shape: Shape): Promise<z.output<Shape>> {
  const text = await request.text();
  let value: unknown;
  try {
    value = text === "" ? {} : JSON.parse(text);
  } catch {
    throw new AuthRefusal(400, "bad_json", "Could not parse request body as JSON");
  }
  const parsed = shape.safeParse(value);
  if (!parsed.success) {
    throw invalid(parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "));
  }
  return parsed.data;
}

/** Fills the places of Auth's template language, `{{ .Name }}` and `{{ .Data.name }}`. */
const fill = (template: string, values: Record<string, string>) =>
  template.replaceAll(/\{\{\s*\.([\w.]+)\s*\}\}/g, (_, name: string) => escapeHtml(values[name] ?? ""));

/** Answers what is the admin API's; undefined for everything else. */
export function authAdmin(options: AuthAdminOptions) {
  const users = authUsers(options.sql);

  async function existing(id: string): Promise<User> {
    if (!z.guid().safeParse(id).success) throw new AuthRefusal(404, "validation_failed", "user_id must be an UUID");
    const user = await users.byId(id);
    if (!user) throw userNotFound();
    return user;
  }

  async function create(request: Request): Promise<User> {
    const fields = await read(request, Fields);
    if (fields.email === undefined) throw invalid("Cannot create a user without either an email or phone");
    if (await users.byEmail(fields.email)) throw emailExists();
    return await users.create(fields);
  }

  async function list({ pathname, searchParams }: URL): Promise<Response> {
    const page = Number(searchParams.get("page") || 1);
    const perPage = Number(searchParams.get("per_page") || 50);
    if (!(Number.isInteger(page) && page > 0 && Number.isInteger(perPage) && perPage > 0)) {
      throw invalid("Bad Pagination Parameters: page and per_page must be positive");
    }
    const found = await users.list(page, perPage);
    const last = Math.max(1, Math.ceil(found.total / perPage));
    const to = (number: number, rel: string) => `<${pathname}?page=${number}&per_page=${perPage}>; rel="${rel}"`;
    const link = [...(page < last ? [to(page + 1, "next")] : []), to(last, "last")].join(", ");
    const headers = {
      "x-total-count": String(found.total),
      link,
      "access-control-expose-headers": "x-total-count, link",
    };
    return Response.json({ users: found.users, aud: "authenticated" }, { headers });
  }

  /** A link for an account, as Auth would mail it. */
  async function makeLink(user: User, type: string, redirectTo: string) {
    const code = String(randomInt(10 ** 5, 10 ** 6));
    const hash = createHash("sha256").update(user.email + code).digest("hex");
    const isConfirmation = type === "signup" || type === "invite";
    await users.keepToken(user.id, isConfirmation ? "confirmation" : "recovery", hash);
    const query = new URLSearchParams({ token: hash, type, redirect_to: redirectTo });
    return {
      action_link: `${options.gatewayUrl}/auth/v1/verify?${query}`,
      email_otp: code,
      hashed_token: hash,
      redirect_to: redirectTo,
      verification_type: type,
    };
  }

  /** Whom an invitation or a first link is for: an account that is not confirmed, made where there is none. */
  async function newcomer(
    email: string,
    isInvited: boolean,
    user_metadata?: Record<string, unknown>,
    password?: string,
  ) {
    const known = await users.byEmail(email);
    if (known?.email_confirmed_at) throw emailExists();
    return known ?? await users.create({ email, user_metadata, password }, isInvited);
  }

  async function invite(request: Request, url: URL): Promise<User> {
    const { email, data } = await read(request, Invitation);
    const user = await newcomer(email, true, data);
    const link = await makeLink(user, "invite", url.searchParams.get("redirect_to") ?? options.siteUrl);
    const { subject = "You have been invited", content_path } = options.invite ?? {};
    const template = content_path === undefined
      ? '<h2>You have been invited</h2><p><a href="{{ .ConfirmationURL }}">Accept the invitation</a></p>'
      : await Deno.readTextFile(content_path);
    const values = {
      ConfirmationURL: link.action_link,
      Token: link.email_otp,
      TokenHash: link.hashed_token,
      SiteURL: options.siteUrl,
      RedirectTo: link.redirect_to,
      Email: email,
      ...Object.fromEntries(Object.entries(data ?? {}).map(([name, value]) => [`Data.${name}`, String(value)])),
    };
    await options.deliver({
      to: email,
      subject,
      text: `You have been invited.\n\nFollow this link: ${link.action_link}`,
      html: fill(template, values),
    });
    return await existing(user.id);
  }

  async function generateLink(request: Request, url: URL) {
    const { type, email, password, data, redirect_to } = await read(request, Link);
    const known = await users.byEmail(email);
    if (type === "recovery" && !known) throw userNotFound();
    const user = known && (type === "magiclink" || type === "recovery")
      ? known
      : await newcomer(email, type === "invite", data, password);
    // Who had no account signs up by the link.
    const as = type === "magiclink" && !known ? "signup" : type;
    const link = await makeLink(user, as, redirect_to ?? url.searchParams.get("redirect_to") ?? options.siteUrl);
    return { ...await existing(user.id), ...link };
  }

  async function handle(request: Request, url: URL, path: string): Promise<Response | undefined> {
    const { method } = request;
    if (path === "/invite" && method === "POST") return Response.json(await invite(request, url));
    if (path === "/admin/generate_link" && method === "POST") return Response.json(await generateLink(request, url));
    if (path === "/admin/users" && method === "GET") return await list(url);
    if (path === "/admin/users" && method === "POST") return Response.json(await create(request));
    const id = /^\/admin\/users\/([^/]+)$/.exec(path)?.[1];
    if (id === undefined) return;
    if (method === "GET") return Response.json(await existing(id));
    if (method === "PUT") {
      const user = await existing(id);
      const fields = await read(request, Fields.omit({ id: true }));
      const other = fields.email === undefined ? undefined : await users.byEmail(fields.email);
      if (other && other.id !== id) throw emailExists();
      return Response.json(await users.update(user, fields));
    }
    if (method === "DELETE") {
      await read(request, Removal);
      await users.remove((await existing(id)).id);
      return Response.json({});
    }
  }

  return async (request: Request, isAdmin: boolean): Promise<Response | undefined> => {
    const url = new URL(request.url);
    const path = url.pathname.slice("/auth/v1".length);
    if (path !== "/invite" && !path.startsWith("/admin/")) return;
    try {
      if (!isAdmin) throw new AuthRefusal(403, "not_admin", "User not allowed");
      return await handle(request, url, path);
    } catch (thrown) {
      const refusal = refusalOf(thrown);
      if (!refusal) throw thrown;
      return refusal.response;
    }
  };
}
