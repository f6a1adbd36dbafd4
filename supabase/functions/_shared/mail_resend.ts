// Mail through Resend, over HTTP: the platform blocks the ports of SMTP.
import type { MailCarrier } from "./mail.ts";
import { post } from "./post.ts";

export const resendCarrier = (url: string, apiKey: string, from: string): MailCarrier => ({
  tellsApart: false,
  send: ({ to, subject, text, html }) =>
    post(`${url}/emails`, { authorization: `Bearer ${apiKey}` }, { from, to, subject, text, html }),
});
