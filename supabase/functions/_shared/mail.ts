// Outgoing mail: one small interface, and who carries it. The local stack keeps every message at <SUPABASE_URL>/mail;
// elsewhere Resend delivers over HTTP (the platform blocks SMTP ports).
import { env } from "./env.ts";

export interface Mail {
  to: string;
  subject: string;
  text: string;
  html: string;
}

/** Sends one message; throws when the carrier did not take it. */
export async function sendMail(mail: Mail): Promise<void> {
  if (env.resendApiKey) {
    return await post("https://api.resend.com/emails", {
      authorization: `Bearer ${env.resendApiKey}`,
    }, { from: env.mailFrom, ...mail });
  }
  if (env.isLocal) {
    return await post(`${env.supabaseUrl}/mail`, { apikey: env.secretKey }, mail);
  }
  throw new Error("No way to send mail: set RESEND_API_KEY in the function's secrets.");
}

async function post(url: string, headers: Record<string, string>, body: unknown): Promise<void> {
  const response = await fetch(url, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  const answer = await response.text();
  if (!response.ok) {
    throw new Error(`The mail carrier answered ${response.status}: ${answer.slice(0, 200)}`);
  }
}
