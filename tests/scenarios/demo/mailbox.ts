// The embedded stack's mailbox at <SUPABASE_URL>/mail: the one thing of the demo that is neither supabase-js nor a function.
import { z } from "zod";

const Messages = z.array(z.object({ to: z.string(), text: z.string() }));
type Messages = z.infer<typeof Messages>;

/** Every kept message, newest first; nothing where there is no mailbox, as on a hosted project. */
export async function readMailbox(url: string): Promise<Messages | undefined> {
  try {
    const response = await fetch(`${url}/mail`, { headers: { accept: "application/json" } });
    const messages = Messages.safeParse(await response.json());
    return response.ok && messages.success ? messages.data : undefined;
  } catch {
    return undefined;
  }
}

/** The token of the newest invitation that this address got. */
export async function readInvitationToken(url: string, email: string): Promise<string> {
  const message = (await readMailbox(url))?.find(({ to, text }) => to === email && text.includes("token="));
  const token = message && /token=([\w-]+)/.exec(message.text)?.[1];
  if (!token) throw new Error(`No invitation for ${email} is at ${url}/mail.`);
  return token;
}
