// Outgoing mail: one small interface, and the choice of who carries it.
import { env } from "./env.ts";
import { authCarrier } from "./mail_auth.ts";
import { localCarrier } from "./mail_local.ts";
import { resendCarrier } from "./mail_resend.ts";

/** A message that leads to one link. A carrier sends the text and HTML, or fills a template of its own with link and data. */
export interface Mail {
  to: string;
  subject: string;
  text: string;
  html: string;
  link: string;
  data: Record<string, string>;
}

export interface MailCarrier {
  /** Resolves once the carrier took the message; throws when it did not. */
  send(mail: Mail): Promise<void>;
  /** Does it do more for some addresses than for others? Then nobody who must not know may wait for it. */
  readonly tellsApart: boolean;
}

/** Resend where it has a key, the mailbox of the local stack, and elsewhere Supabase Auth, which is always there. */
export function mailCarrier(): MailCarrier {
  if (env.resendApiKey) return resendCarrier(env.resendUrl, env.resendApiKey, env.mailFrom);
  return env.isLocal ? localCarrier : authCarrier;
}
