// A way to the stack whose connections can be cut, as a network does: requests and sockets alike, in mid-sentence.
export interface CuttingProxy extends Disposable {
  url: string;
  /** Cuts every connection there is; new ones work at once. Answers how many there were. */
  cut(): number;
  /** Cuts the next so many connections at the moment their answer comes: the request was heard, the answer is not. */
  loseAnswers(times: number): void;
}

/** Listens on a port of its own and passes everything on to the target. */
export function startCuttingProxy(target: string): CuttingProxy {
  const { hostname, port } = new URL(target);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.Conn>();
  const close = (connection: Deno.Conn) => {
    if (!open.delete(connection)) return;
    try {
      connection.close();
    } catch {
      // Its streams have closed it.
    }
  };

  let toLose = 0;
  const losing = () =>
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        if (toLose === 0) return controller.enqueue(chunk);
        toLose--;
        controller.error(new Error("The answer is lost"));
      },
    });

  async function join(near: Deno.Conn): Promise<void> {
    open.add(near);
    let far: Deno.Conn | undefined;
    try {
      far = await Deno.connect({ hostname, port: Number(port) });
      open.add(far);
      await Promise.race([
        near.readable.pipeTo(far.writable),
        far.readable.pipeThrough(losing()).pipeTo(near.writable),
      ]);
    } catch {
      // Cut, or closed by either side.
    } finally {
      for (const connection of [near, far]) if (connection) close(connection);
    }
  }
  (async () => {
    for await (const connection of listener) void join(connection);
  })();

  const cut = () => {
    const connections = [...open];
    for (const connection of connections) close(connection);
    return connections.length;
  };
  return {
    url: `http://127.0.0.1:${listener.addr.port}`,
    cut,
    loseAnswers(times) {
      toLose = times;
    },
    [Symbol.dispose]() {
      listener.close();
      cut();
    },
  };
}
