// A free pair of ports on loopback: a stack takes the given one and the next.

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch {
    return false;
  }
}

export function freePort(): number {
  for (;;) {
    const port = 20_000 + 2 * Math.floor(Math.random() * 6_000);
    if (isFree(port) && isFree(port + 1)) return port;
  }
}
