// A proxy that the environment names would be asked for this machine's own addresses, too, and finds its own there.

const PROXIES = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
const OURS = ["127.0.0.1", "localhost"];

/** Has requests to this machine, of this process and of those it starts, pass by. Before the first: Deno reads it once. */
export function passProxiesBy(): void {
  if (!PROXIES.some((name) => Deno.env.get(name))) return;
  const given = ["NO_PROXY", "no_proxy"].flatMap((name) => Deno.env.get(name)?.split(",") ?? []);
  const all = new Set([...given.map((host) => host.trim()), ...OURS].filter((host) => host !== ""));
  for (const name of ["NO_PROXY", "no_proxy"]) Deno.env.set(name, [...all].join(","));
}
