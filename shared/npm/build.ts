// `deno task package`: the client and the hooks as an npm package in dist/client, for apps whose tools want JavaScript
// and declarations. The versions it asks for are those that this repository tests with.
//
//   deno task package && cd ../my-app && npm install ../genesis/dist/client/genesis-engine-client-0.1.0.tgz
//
// The tarball is what is installed: of a folder, npm makes a link into this clone, and with it a second React.
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const NAME = "@genesis-engine/client";
const HELP = "deno task package [--out FOLDER]: writes the npm package to FOLDER (dist/client)";

function refuse(sentence: string): never {
  console.error(sentence);
  Deno.exit(1);
}

function readArguments(): { out: string; help: boolean } {
  try {
    const options = { out: { type: "string" }, help: { type: "boolean", short: "h", default: false } } as const;
    const { out, help } = parseArgs({ args: Deno.args, options }).values;
    if (out === "") refuse("--out must not be empty: leave it out for dist/client.");
    return { out: resolve(out ?? `${ROOT}dist/client`), help };
  } catch (thrown) {
    const [sentence = ""] = String((thrown as Error).message).split(/\.\s/);
    return refuse(`${sentence}. ${HELP}`);
  }
}

/** Whether a folder may be replaced: it is not there, empty, or what this wrote before. */
async function isOurs(folder: string): Promise<boolean> {
  try {
    const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    return names.length === 0 || JSON.parse(await Deno.readTextFile(`${folder}/package.json`)).name === NAME;
  } catch (thrown) {
    return thrown instanceof Deno.errors.NotFound && !await Deno.lstat(folder).then(() => true, () => false);
  }
}

const { out, help } = readArguments();
if (help) {
  console.log(HELP);
  Deno.exit(0);
}
if (!await isOurs(out)) refuse(`${out} holds something else: choose an empty folder with --out.`);

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
if (!success) {
  // Without its package.json it would be something else, the next time.
  await Deno.remove(out, { recursive: true }).catch(() => {});
  Deno.exit(1);
}

const entry = (path: string) => ({ types: `./${path}.d.ts`, default: `./${path}.js` });
const peers = ["@supabase/supabase-js", "@supabase/ssr", "react"];
const manifest = {
  name: NAME,
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
