// Mail through Supabase Auth, for projects that have no other carrier: its admin invite makes an account for an address
// that has none, and fills supabase/templates/invite.html. Whoever has an account gets a sign-in link to the same page.
import { env } from "./env.ts";
import type { MailCarrier } from "./mail.ts";

export const authCarrier: MailCarrier = {
  tellsApart: true,
  async send({ to, link, data }) {
    const { createClient } = await import("@supabase/supabase-js");
    const { auth } = createClient(env.supabaseUrl, env.secretKey, {
      auth: { persistSession: false, autoRefreshToken: false },
    });
    const invited = await auth.admin.inviteUserByEmail(to, { redirectTo: link, data });
    if (invited.error?.code !== "email_exists") {
      if (invited.error) throw invited.error;
      return;
    }
    const { error } = await auth.signInWithOtp({
      email: to,
      options: { shouldCreateUser: false, emailRedirectTo: link },
    });
    if (error) throw error;
  },
};
