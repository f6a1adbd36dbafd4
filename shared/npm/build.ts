// `deno task package`: the client and the hooks as an npm package in dist/client, for apps whose tools want JavaScript
// and declarations. The versions it asks for are those that this repository tests with.
//
//   deno task package && cd ../my-app && npm install ../genesis/dist/client/genesis-engine-client-0.1.0.tgz
//
// The tarball is what is installed: of a folder, npm makes a link into this clone, and with it a second React.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const { values } = parseArgs({ args: Deno.args, options: { out: { type: "string", default: `${ROOT}dist/client` } } });
const { out } = values;

const { imports } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
const versionOf = (name: string): string => imports[name].slice(`npm:${name}@`.length);

await Deno.remove(out, { recursive: true }).catch(() => {});
const { success } = await new Deno.Command(Deno.execPath(), {
  args: ["run", "-A", `npm:typescript@${versionOf("typescript")}/tsc`, "-p", `${ROOT}shared/npm`, "--outDir", out],
  cwd: ROOT,
}).output().then(({ success, stdout, stderr }) => {
  Deno.stdout.writeSync(stdout);
  Deno.stderr.writeSync(stderr);
  return { success };
});
if (!success) Deno.exit(1);

const entry = (path: string) => ({ types: `./${path}.d.ts`, default: `./${path}.js` });
const peers = ["@supabase/supabase-js", "@supabase/ssr", "react"];
const manifest = {
  name: "@genesis-engine/client",
  version: "0.1.0",
  description: "The typed client, worker kit and React hooks of Genesis Engine.",
  type: "module",
  sideEffects: false,
  exports: {
    ".": entry("client/mod"),
    "./react": entry("react/mod"),
    "./next/browser": entry("client/next/browser"),
    "./next/server": entry("client/next/server"),
  },
  // Only its types: no schema is part of a bundle.
  dependencies: { zod: versionOf("zod") },
  peerDependencies: Object.fromEntries(peers.map((name) => [name, `^${versionOf(name)}`])),
  peerDependenciesMeta: { "@supabase/ssr": { optional: true }, react: { optional: true } },
};
await Deno.writeTextFile(`${out}/package.json`, JSON.stringify(manifest, null, 2) + "\n");
await Deno.copyFile(`${ROOT}docs/client.md`, `${out}/README.md`);
const packed = await new Deno.Command("npm", { args: ["pack", "--silent"], cwd: out }).output();
if (!packed.success) {
  console.error(new TextDecoder().decode(packed.stderr));
  Deno.exit(1);
}
console.log(`Wrote ${manifest.name} ${manifest.version} to ${out}/${new TextDecoder().decode(packed.stdout).trim()}`);
