// The text of an invitation, as text and as HTML. Names come from people, so they are escaped.
import { html } from "hono/html";
import type { Mail } from "../_shared/mail.ts";

export interface Invitation {
  to: string;
  projectName: string;
  role: string;
  link: string;
}

export function invitationMail({ to, projectName, role, link }: Invitation): Mail {
  // A line break in a name must not become a header.
  const name = projectName.replaceAll(/\s+/g, " ");
  return {
    to,
    subject: `You are invited to ${name}`,
    text: `You are invited to work on ${name} as ${role}.\n\nAccept within 7 days: ${link}\n\n` +
      "If you did not expect this, ignore it.\n",
    html: String(
      html`<p>You are invited to work on <strong>${name}</strong> as ${role}.</p>
<p><a href="${link}">Accept the invitation</a> within 7 days.</p>
<p>If you did not expect this, ignore it.</p>`,
    ),
  };
}
