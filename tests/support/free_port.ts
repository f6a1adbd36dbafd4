// A free pair of ports on loopback: a stack takes the given one and the next.

/** Below the ports that the system gives to outgoing connections, which would take them before a stack does. */
const LOWEST = 10_000, HIGHEST = 32_000;

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
    const port = LOWEST + 2 * Math.floor(Math.random() * (HIGHEST - LOWEST) / 2);
    if (isFree(port) && isFree(port + 1)) return port;
  }
}
