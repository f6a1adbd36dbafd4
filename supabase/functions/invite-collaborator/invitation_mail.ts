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

export function invitationMail({ to, projectName, role, link }: Invitation): Mail {
  // A line break in a name must not become a header.
  const name = projectName.replaceAll(/\s+/g, " ");
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
