// Keeps every outgoing message instead of sending it, and shows them at /mail: a page for people, JSON for programs.
import { join } from "node:path";
import { z } from "zod";
import { mailPage } from "./mail_page.ts";

export interface Mail {
  to: string;
  subject: string;
  text: string;
  html: string;
  sent_at: string;
}

const Message = z.object({
  to: z.string().min(1),
  subject: z.string(),
  text: z.string().default(""),
  html: z.string().default(""),
});

export interface MailService {
  deliver(message: { to: string; subject: string; text?: string; html?: string }): Promise<void>;
  /** Answers /mail. Delivering and emptying take a trusted caller; reading takes none, since the stack is local. */
  fetch(request: Request, isTrusted: boolean): Promise<Response>;
}

/** Older messages go first. */
const KEPT = 500;

export async function openMail(stateDirectory: string): Promise<MailService> {
  const file = join(stateDirectory, "mail.json");
  const kept: Mail[] = JSON.parse(await Deno.readTextFile(file).catch(() => "[]"));

  // One write at a time, each of everything there is by then.
  let writing: Promise<void> = Promise.resolve();
  function save(): Promise<void> {
    writing = writing.catch(() => {}).then(async () => {
      await Deno.writeTextFile(`${file}.part`, JSON.stringify(kept), { mode: 0o600 });
      await Deno.rename(`${file}.part`, file);
    });
    return writing;
  }

  const deliver: MailService["deliver"] = (message) => {
    kept.unshift({ ...Message.parse(message), sent_at: new Date().toISOString() });
    kept.splice(KEPT);
    return save();
  };

  async function handle(request: Request, isTrusted: boolean): Promise<Response> {
    if (request.method === "GET" || request.method === "HEAD") {
      const wantsJson = !request.headers.get("accept")?.includes("text/html");
      if (wantsJson) return Response.json(kept);
      return new Response(mailPage(kept), { headers: { "content-type": "text/html; charset=utf-8" } });
    }
    if (request.method !== "POST" && request.method !== "DELETE") {
      return Response.json({ message: "Method not allowed" }, { status: 405, headers: { allow: "GET, POST, DELETE" } });
    }
    if (!isTrusted) return Response.json({ message: "The secret key is required" }, { status: 401 });
    if (request.method === "DELETE") {
      kept.length = 0;
      await save();
      return new Response(null, { status: 204 });
    }
    const message = Message.safeParse(await request.json().catch(() => undefined));
    if (!message.success) return Response.json({ message: z.prettifyError(message.error) }, { status: 422 });
    await deliver(message.data);
    return Response.json(kept[0], { status: 201 });
  }
  return { deliver, fetch: handle };
}
