// The text of an invitation. Its HTML is supabase/templates/invite.html, which Supabase Auth fills by itself and the
// other carriers get filled from here. Names come from people, so they are escaped.
import type { Mail } from "../_shared/mail.ts";
import { INVITE_TEMPLATE } from "./invite_template.ts";

export interface Invitation {
  to: string;
  projectName: string;
  role: string;
  link: string;
}

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;" };
const escapeHtml = (text: string) => text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? "");

/** Puts values in the places of Auth's template language, `{{ .Name }}`; the same few that Auth fills. */
function fill(template: string, values: Record<string, string>): string {
  return template.replaceAll(/\{\{\s*\.([\w.]+)\s*\}\}/g, (_, name: string) => escapeHtml(values[name] ?? ""));
}

/** Marks that turn the direction of what follows them. */
const TURNING = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/g;
/** What a mail program makes a link by, and how it makes none. Anybody can send these mails: their one link is ours. */
const LINKING = /[.:/@](?=\S)/g;
const UNLINKED = "$&\u200B";
/** A name within a line: a line break in it must not become a header, nor may it change what is said around it. */
const inLine = (name: string) =>
  name.replaceAll(TURNING, "").replaceAll(/[\s\p{Cc}]+/gu, " ").trim().replaceAll(LINKING, UNLINKED);

export function invitationMail({ to, projectName, role, link }: Invitation): Mail {
  const name = inLine(projectName);
  return {
    to,
    subject: `You are invited to ${name}`,
    text: `You are invited to work on ${name} as ${role}.\n\nAccept within 7 days: ${link}\n\n` +
      "If you did not expect this, ignore it.\n",
    html: fill(INVITE_TEMPLATE, { "Data.project_name": name, "Data.role": role, "ConfirmationURL": link, "Email": to }),
    link,
    data: { project_name: name, role },
  };
}
