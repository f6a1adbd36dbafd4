// Auth in config.toml as a careful team ships it, and the templates it names.
import { assert, assertEquals } from "@std/assert";
import { parse } from "smol-toml";

const ROOT = new URL("../../", import.meta.url);
// deno-lint-ignore no-explicit-any
const { auth }: any = parse(await Deno.readTextFile(new URL("supabase/config.toml", ROOT)));

Deno.test("addresses are confirmed, a change of address twice, and passwords change only after a recent sign-in", () => {
  const { enable_confirmations, double_confirm_changes, secure_password_change } = auth.email;
  assertEquals([enable_confirmations, double_confirm_changes, secure_password_change], [true, true, true]);
});

Deno.test("a password has ten characters at least, with letters and digits", () => {
  assert(auth.minimum_password_length >= 10);
  assertEquals(auth.password_requirements, "letters_digits");
});

Deno.test("refresh tokens rotate, tokens last an hour, nobody is anonymous", () => {
  assertEquals([auth.enable_refresh_token_rotation, auth.jwt_expiry, auth.enable_anonymous_sign_ins], [
    true,
    3600,
    false,
  ]);
  assert(auth.refresh_token_reuse_interval <= 10);
});

Deno.test("every rate limit is stated", () => {
  const names = [
    "email_sent",
    "token_refresh",
    "sign_in_sign_ups",
    "token_verifications",
    "sms_sent",
    "anonymous_users",
  ];
  for (const name of names) assertEquals(typeof auth.rate_limit[name], "number", name);
});

Deno.test("TOTP can be enrolled and verified", () => {
  assertEquals({ ...auth.mfa.totp }, { enroll_enabled: true, verify_enabled: true });
});

Deno.test("no secret stands in the file: providers, SMTP and site come from variables that .env.example names", async () => {
  const { github, google } = auth.external;
  const values = [auth.site_url, ...auth.additional_redirect_urls, auth.email.smtp.pass]
    .concat(github.client_id, github.secret, google.client_id, google.secret);
  const example = await Deno.readTextFile(new URL("supabase/.env.example", ROOT));
  for (const value of values) {
    const name = /^env\((\w+)\)$/.exec(value)?.[1];
    assert(name !== undefined && new RegExp(`^${name}=`, "m").test(example), `${value} is not in .env.example`);
  }
  assertEquals([github.enabled, google.enabled], [true, true]);
});

Deno.test("the hook that puts the role into tokens is on", () => {
  const uri = "pg-functions://postgres/private/custom_access_token_hook";
  assertEquals({ ...auth.hook.custom_access_token }, { enabled: true, uri });
});

Deno.test("every kind of mail has a template of ours with its link in it", async () => {
  const kinds = ["confirmation", "recovery", "invite", "magic_link", "email_change"];
  assertEquals(Object.keys(auth.email.template).toSorted(), kinds.toSorted());
  for (const kind of kinds) {
    const { subject, content_path } = auth.email.template[kind];
    assert(subject.length > 0);
    const html = await Deno.readTextFile(new URL(content_path, ROOT));
    assert(html.includes('href="{{ .ConfirmationURL }}"'), kind);
  }
});
