// Mail on the local stack: kept, and shown at <SUPABASE_URL>/mail.
import { env } from "./env.ts";
import type { MailCarrier } from "./mail.ts";
import { post } from "./post.ts";

export const localCarrier: MailCarrier = {
  tellsApart: false,
  send: ({ to, subject, text, html }) =>
    post(`${env.supabaseUrl}/mail`, { apikey: env.secretKey }, { to, subject, text, html }),
};
