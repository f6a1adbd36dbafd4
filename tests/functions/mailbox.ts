// The mail that the stack kept: where an invitation's token is found, and nowhere else.
import { stack } from "../support/stack.ts";

export interface Mail {
  to: string;
  subject: string;
  text: string;
  html: string;
  sent_at: string;
}

/** The messages to an address, newest first. */
export async function mailTo(address: string): Promise<Mail[]> {
  const response = await fetch(`${stack.url}/mail`, { headers: { accept: "application/json" } });
  const all: Mail[] = await response.json();
  return all.filter(({ to }) => to === address);
}

/** The token in the newest invitation to an address. */
export async function tokenFor(address: string): Promise<string> {
  const [newest] = await mailTo(address);
  const token = /\/invitations\/accept\?token=([0-9A-Za-z_-]+)/.exec(newest?.text ?? "")?.[1];
  if (!token) throw new Error(`No invitation was mailed to ${address}`);
  return token;
}
