// What a client asks for when it joins a channel; whatever is malformed takes its default, as on the platform.
import { z } from "zod";

const flag = z.preprocess((value) => value === true || value === "true", z.boolean());
const part = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.preprocess(
    (value) => (typeof value === "object" && value !== null && !Array.isArray(value) ? value : {}),
    z.object(shape),
  );

/** The last moment that a Date can be; PostgreSQL goes a little further. */
const LAST_MS = 8.64e15;

/** Up to `limit` messages of the past, from `since` (milliseconds since 1970) on. */
const Replay = z.object({
  since: z.coerce.number().min(0).max(LAST_MS),
  limit: z.coerce.number().int().min(1).max(25).default(25),
});

/** The longest that a join may wait for its changes, and how long it does where it does not say, in milliseconds. */
const [MAX_WAIT_MS, WAIT_MS] = [20_000, 15_000];

const JoinConfig = part({
  broadcast: part({ ack: flag, self: flag, replay: z.unknown().optional(), replication_ready: flag }),
  presence: part({ key: z.string().catch(""), enabled: flag }),
  postgres_changes: z.array(z.record(z.string(), z.unknown())).catch([]),
  /** With `wait` the join is answered when changes flow, or refused. */
  postgres_changes_options: part({
    wait: flag,
    timeout: z.number().positive().catch(WAIT_MS).transform((asked) => Math.min(asked, MAX_WAIT_MS)),
  }),
  private: flag,
});

const JoinPayload = part({
  config: JoinConfig,
  user_token: z.string().optional().catch(undefined),
  access_token: z.string().optional().catch(undefined),
});

export type JoinConfig = z.infer<typeof JoinConfig>;
export type Replay = z.infer<typeof Replay>;

export interface Join {
  config: JoinConfig;
  /** The token to join with, unless the connection's is to be used. */
  token?: string;
}

export function readJoin(payload: unknown): Join {
  const { config, user_token, access_token } = JoinPayload.parse(payload);
  const token = user_token ?? access_token;
  return { config, token: token && !token.startsWith("sb_") ? token : undefined };
}

/** Undefined when nothing is to be replayed, null when what is asked for makes no sense. */
export function readReplay(value: unknown): Replay | null | undefined {
  return value === undefined || value === null ? undefined : Replay.safeParse(value).data ?? null;
}
