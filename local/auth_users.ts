// Accounts as the admin API of Auth reads and writes them, one statement each: lite has no such API, but these are its tables.
import bcrypt from "bcryptjs";
import type postgres from "postgres";

/** What may be said of an account; what is left out stays as it is. */
export interface UserFields {
  id?: string;
  email?: string;
  password?: string;
  password_hash?: string;
  email_confirm?: boolean;
  user_metadata?: Record<string, unknown>;
  app_metadata?: Record<string, unknown>;
  /** As Go writes it, `24h` or `1h30m`, or `none`. */
  ban_duration?: string;
  role?: string;
}

export type User = Record<string, unknown> & { id: string; email: string; email_confirmed_at?: string };

/** Auth never says more of an account. */
const JSON_OF_USER = `jsonb_strip_nulls(jsonb_build_object(
    'id', u.id, 'aud', u.aud, 'role', u.role, 'email', coalesce(u.email, ''), 'phone', coalesce(u.phone, ''),
    'email_confirmed_at', u.email_confirmed_at, 'confirmed_at', u.confirmed_at, 'invited_at', u.invited_at,
    'confirmation_sent_at', u.confirmation_sent_at, 'recovery_sent_at', u.recovery_sent_at,
    'last_sign_in_at', u.last_sign_in_at, 'banned_until', u.banned_until, 'created_at', u.created_at,
    'updated_at', u.updated_at, 'is_anonymous', u.is_anonymous
  )) || jsonb_build_object(
    'app_metadata', u.raw_app_meta_data, 'user_metadata', u.raw_user_meta_data,
    'identities', coalesce((
      select jsonb_agg(jsonb_build_object(
        'identity_id', i.id, 'id', i.provider_id, 'user_id', i.user_id, 'provider', i.provider, 'email', i.email,
        'identity_data', i.identity_data, 'created_at', i.created_at, 'updated_at', i.updated_at,
        'last_sign_in_at', i.last_sign_in_at
      ) order by i.created_at)
      from auth.identities as i where i.user_id = u.id
    ), '[]')
  )`;

/** Null takes a key away, as in Auth. */
function merged(old: unknown, given: Record<string, unknown> = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries({ ...Object(old), ...given }).filter(([, value]) => value !== null));
}

/** Until when `ban_duration` bans, in SQL; as it is where nothing was said. */
function bannedUntil(sql: postgres.Sql, duration: string | undefined) {
  if (duration === undefined) return sql`banned_until`;
  if (duration === "none") return sql`null`;
  return sql`now() + ${duration.replaceAll(/([a-z])(?=\d)/g, "$1 ")}::interval`;
}

/** The hash that lite keeps; of a password that nobody knows where none is given. */
const passwordHash = async ({ password, password_hash }: UserFields) =>
  password_hash ?? await bcrypt.hash(password ?? crypto.randomUUID(), 10);

/** @param sql a connection as the role that the platform's Auth uses */
export function authUsers(sql: postgres.Sql) {
  async function find(where: postgres.PendingQuery<postgres.Row[]>): Promise<User | undefined> {
    const [row] = await sql<{ user: User }[]>`select ${
      sql.unsafe(JSON_OF_USER)
    } as user from auth.users as u where ${where}`;
    return row?.user;
  }
  const byId = (id: string) => find(sql`u.id = ${id}`);

  return {
    byId,
    byEmail: (email: string) => find(sql`u.email = ${email.toLowerCase()} and not u.is_sso_user`),

    /** The newest first. */
    async list(page: number, perPage: number): Promise<{ users: User[]; total: number }> {
      const [{ users, total } = { users: [], total: 0 }] = await sql<{ users: User[]; total: number }[]>`
        select
          (select count(*)::integer from auth.users) as total,
          coalesce((
            select jsonb_agg(${sql.unsafe(JSON_OF_USER)} order by u.created_at desc, u.id)
            from (
              select * from auth.users order by created_at desc, id limit ${perPage} offset ${(page - 1) * perPage}
            ) as u
          ), '[]') as users`;
      return { users, total };
    },

    /** Makes an account and its identity. Its address counts as confirmed only when that is said. */
    async create(fields: UserFields, isInvited = false): Promise<User> {
      const id = fields.id ?? crypto.randomUUID();
      const email = (fields.email ?? "").toLowerCase();
      const identity = { sub: id, email, email_verified: fields.email_confirm === true, phone_verified: false };
      await sql`
        with made as (
          insert into auth.users (
            id, instance_id, aud, role, email, encrypted_password, email_confirmed_at, invited_at, banned_until,
            raw_app_meta_data, raw_user_meta_data
          )
          select
            ${id}, '00000000-0000-0000-0000-000000000000', 'authenticated', ${fields.role ?? "authenticated"}, ${email},
            ${await passwordHash(fields)}, ${fields.email_confirm ? sql`now()` : null}, ${
        isInvited ? sql`now()` : null
      },
            ${bannedUntil(sql, fields.ban_duration ?? "none")},
            ${sql.json({ provider: "email", providers: ["email"], ...fields.app_metadata } as postgres.JSONValue)},
            ${sql.json(merged({}, fields.user_metadata) as postgres.JSONValue)}
          returning id
        )
        insert into auth.identities (provider, provider_id, user_id, identity_data)
        select 'email', made.id, made.id, ${sql.json(identity)} from made`;
      return await byId(id) as User;
    },

    /** Changes what is said, and nothing else. */
    async update(user: User, fields: UserFields): Promise<User> {
      const email = fields.email?.toLowerCase();
      const hasPassword = fields.password !== undefined || fields.password_hash !== undefined;
      await sql`
        with ended as (
          -- As on the platform, a new password ends all sessions.
          delete from auth.sessions where user_id = ${user.id} and ${hasPassword}
        ), changed as (
          update auth.users set
            email = coalesce(${email ?? null}, email),
            encrypted_password = ${hasPassword ? await passwordHash(fields) : sql`encrypted_password`},
            email_confirmed_at = ${
        fields.email_confirm ? sql`coalesce(email_confirmed_at, now())` : sql`email_confirmed_at`
      },
            role = coalesce(${fields.role ?? null}, role),
            banned_until = ${bannedUntil(sql, fields.ban_duration)},
            raw_app_meta_data = ${sql.json(merged(user.app_metadata, fields.app_metadata) as postgres.JSONValue)},
            raw_user_meta_data = ${sql.json(merged(user.user_metadata, fields.user_metadata) as postgres.JSONValue)},
            updated_at = now()
          where id = ${user.id}
          returning id
        )
        update auth.identities as i
        set identity_data = i.identity_data || jsonb_build_object('email', ${email ?? null}::text), updated_at = now()
        from changed where i.user_id = changed.id and i.provider = 'email' and ${email !== undefined}`;
      return await byId(user.id) as User;
    },

    async remove(id: string): Promise<void> {
      await sql`delete from auth.users where id = ${id}`;
    },

    /** Keeps the hash of a code that a link carries: of a confirmation or of a sign-in. */
    async keepToken(id: string, column: "confirmation" | "recovery", hash: string): Promise<void> {
      await sql`
        update auth.users set ${sql({ [`${column}_token`]: hash })}, ${
        sql(`${column}_sent_at`)
      } = now() where id = ${id}`;
    },
  };
}
