// Connections that are begun and never answered, or late.
import { createClient } from "@supabase/supabase-js";
import { watchdogOf } from "../../shared/client/handshake.ts";
import { type Database, listen } from "../../shared/client/mod.ts";
import { stack } from "../support/stack.ts";
import { sharedClients } from "./team.ts";

/** A client of the viewer whose connections are made by `connect`, which is told how many there were before. */
async function viewerWhose(connect: (before: number, url: string | URL) => WebSocket, patienceMs: number) {
  const { project } = await sharedClients();
  let made = 0;
  // What is called with `new` may answer another object.
  const transport = function (url: string | URL) {
    return connect(made++, url);
  } as unknown as typeof WebSocket;
  const supabase = createClient<Database>(stack.url, stack.publishableKey, {
    accessToken: () => Promise.resolve(project.viewer.token),
    realtime: { transport },
  });
  watchdogOf(supabase, patienceMs);
  return { supabase, topic: `project:${project.id}` };
}

Deno.test("a connection whose handshake is never answered is given up for another one, with the app's own channels", async () => {
  // Whoever connects is let in by the kernel, and never heard.
  using silence = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = silence.addr;
  const { supabase, topic } = await viewerWhose(
    (before, url) => new WebSocket(before === 0 ? `ws://127.0.0.1:${port}` : url),
    100,
  );
  const [joined, own] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const subscription = listen(supabase, topic, { joined: (isJoined) => isJoined && joined.resolve() });
  const channel = supabase.channel("the app's own").subscribe((state) => state === "SUBSCRIBED" && own.resolve());
  await Promise.all([joined.promise, own.promise]);
  subscription.close();
  await supabase.removeChannel(channel);
});

/** Is told that it is open later than it is, by longer than the watchdog takes to look twice. */
class Slow extends WebSocket {
  #isSlow = true;
  override get readyState() {
    return this.#isSlow && super.readyState === WebSocket.OPEN ? WebSocket.CONNECTING : super.readyState;
  }
  override set onopen(listener: () => void) {
    super.onopen = () =>
      setTimeout(() => {
        this.#isSlow = false;
        listener();
      }, 1200);
  }
}

Deno.test("where each handshake takes longer than the first was waited for, one is waited for long enough", async () => {
  const { supabase, topic } = await viewerWhose((_, url) => new Slow(url), 300);
  const joined = Promise.withResolvers<void>();
  const subscription = listen(supabase, topic, { joined: (isJoined) => isJoined && joined.resolve() });
  await joined.promise;
  subscription.close();
});
