// One URL for everything: looks at who asks, then hands the request to the service that its path names.
import type { AuthData } from "./auth_data.ts";
import { type Credentials, credentialsReader } from "./caller_of.ts";
import { allowAnyOrigin, isPreflight, preflight } from "./cors.ts";
import { indexPage } from "./index_page.ts";
import type { Keys } from "./keys.ts";
import type { MailService } from "./mail.ts";
import type { RealtimeService } from "./realtime/mod.ts";
import type { StorageService } from "./storage/mod.ts";
import { messageOf, UserError } from "./user_error.ts";

export interface GatewayOptions {
  port: number;
  keys: Keys;
  authData: AuthData;
  storage: StorageService;
  realtime: RealtimeService;
  mail: MailService;
  functions(request: Request, url: URL, credentials: Credentials, completed: Promise<void>): Promise<Response>;
  log(line: string): void;
}

export interface Gateway {
  url: string;
  stop(): Promise<void>;
}

type Handler = (request: Request, url: URL, credentials: Credentials) => Promise<Response>;

function refuse(status: number, body: Record<string, unknown>): Response {
  return Response.json(body, { status });
}

const NO_KEY = {
  message: "No API key found in request",
  hint: "No `apikey` request header or url param was found.",
};
const WRONG_KEY = { message: "Invalid API key", hint: "Double check your Supabase `apikey`" };

/**
 * A name of this machine, which no other can take. A page may give a name of its own our address after it was loaded, and
 * reads then what is of its origin.
 */
const isOurs = ({ hostname }: URL): boolean => /^((.+\.)?localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);

/** Methods that fetch refuses to pass on, or takes for another one, which is written in capitals. */
const NOT_FOR_FETCH = /^(CONNECT|TRACE|TRACK)$|[a-z]/;

/** What PostgREST answers to; lite takes any other method for GET. */
const OF_DATA = /^(GET|HEAD|POST|PATCH|PUT|DELETE|OPTIONS)$/;

/** The request as lite reads it: a key of today's kind, and no bearer but a user's token. */
function translate(request: Request, credentials: Credentials, keys: Keys): Request {
  const headers = new Headers(request.headers);
  const speaksAsKey = !credentials.token && !credentials.tokenError;
  const role = speaksAsKey && credentials.key ? credentials.caller.role : credentials.key;
  if (role) headers.set("apikey", role === "service_role" ? keys.secretKey : keys.publishableKey);
  if (speaksAsKey) headers.delete("authorization");
  // Without the request's signal: copying that costs more than lite would gain.
  return new Request(request.url, { method: request.method, headers, body: request.body });
}

function handlers(options: GatewayOptions): Record<string, Handler> {
  const { keys, authData, storage, realtime } = options;
  return {
    "/auth/v1": (request, _url, credentials) => authData.auth(translate(request, credentials, keys)),
    "/rest/v1": async (request, url, credentials) => {
      if (!credentials.key) return refuse(401, credentials.wrongKey ? WRONG_KEY : NO_KEY);
      if (credentials.tokenError) {
        const [code, message] = credentials.tokenError === "expired"
          ? ["PGRST303", "JWT expired"]
          : ["PGRST301", "No suitable key or wrong key type"];
        return refuse(401, { code, details: null, hint: null, message });
      }
      if (!OF_DATA.test(request.method)) {
        const message = `Unsupported HTTP method: ${request.method}`;
        return refuse(405, { code: "PGRST117", details: null, hint: null, message });
      }
      const answer = await authData.call(request, url, credentials);
      if (answer instanceof Response) return answer;
      return await authData.data(translate(answer, credentials, keys), credentials.token?.claims);
    },
    "/storage/v1": (request, url, credentials) => {
      const needsNoToken =
        /^\/storage\/v1\/(object\/(public|sign|upload\/sign)\/|render\/image\/(public|sign)\/|upload\/resumable\/sign)/
          .test(
            url.pathname,
          );
      if (credentials.wrongKey && !needsNoToken) return Promise.resolve(refuse(401, WRONG_KEY));
      if (credentials.tokenError && !needsNoToken) {
        const message = credentials.tokenError === "expired"
          ? '"exp" claim timestamp check failed'
          : "signature verification failed";
        return Promise.resolve(refuse(400, { statusCode: "403", error: "Unauthorized", message }));
      }
      return storage.fetch(request, credentials.caller);
    },
    "/realtime/v1": (request, url, credentials) => {
      if (credentials.wrongKey) return Promise.resolve(refuse(401, WRONG_KEY));
      if (credentials.tokenError || (!credentials.key && !credentials.token)) {
        return Promise.resolve(refuse(401, { message: "Unauthorized" }));
      }
      return realtime.fetch(request, url, credentials.caller);
    },
  };
}

/** Listens on loopback. Throws UserError when the port is taken. */
export function startGateway(options: GatewayOptions): Gateway {
  const readCredentials = credentialsReader(options.keys);
  const services = Object.entries(handlers(options));

  async function handle(request: Request, { completed }: Deno.ServeHandlerInfo): Promise<Response> {
    if (NOT_FOR_FETCH.test(request.method)) return allowAnyOrigin(refuse(405, { message: "Method Not Allowed" }));
    if (!URL.canParse(request.url)) return refuse(400, { message: "Bad Request: the host cannot be read" });
    const url = new URL(request.url);
    const credentials = await readCredentials(request, url);
    if (/^\/functions\/v1\/./.test(url.pathname)) return await options.functions(request, url, credentials, completed);
    if (isPreflight(request)) return preflight(request);
    // As it is: a response that upgrades its connection cannot be dressed.
    if (url.pathname === "/realtime/v1/websocket") return await options.realtime.connect(request, url);
    const service = services.find(([prefix]) => url.pathname === prefix || url.pathname.startsWith(`${prefix}/`));
    if (service) return allowAnyOrigin(await service[1](request, url, credentials));
    // For people at this machine, without a key: a page that they visit must not read the links in it.
    if (url.pathname === "/mail") {
      const isTrusted = credentials.caller.role === "service_role";
      if (isTrusted || isOurs(url)) return await options.mail.fetch(request, isTrusted);
      return refuse(403, { message: "Under another name than localhost the mail takes the secret key" });
    }
    if (url.pathname === "/") return indexPage(url.origin);
    return refuse(404, { message: "no Route matched with those values" });
  }

  const server = listen(options.port, async (request, info) => {
    try {
      return await handle(request, info);
    } catch (thrown) {
      options.log(
        `${request.method} ${new URL(request.url).pathname}: ${thrown instanceof Error ? thrown.stack : thrown}`,
      );
      return refuse(502, { message: `The service behind this path failed: ${messageOf(thrown)}` });
    }
  });
  return {
    url: `http://127.0.0.1:${options.port}`,
    stop: () => stopServer(server),
  };
}

function listen(port: number, handler: Deno.ServeHandler): Deno.HttpServer {
  try {
    return Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, handler);
  } catch (thrown) {
    if (thrown instanceof Deno.errors.AddrInUse) throw busyPort(port);
    throw thrown;
  }
}

export function busyPort(port: number): UserError {
  return new UserError(
    `Port ${port} is in use: stop what listens there, or choose another pair of ports with --port ${port + 10}.`,
  );
}

/** Lets running requests finish for a moment, then drops them. */
async function stopServer(server: Deno.HttpServer): Promise<void> {
  const patience = setTimeout(() => void abort.abort(), 2000);
  const abort = new AbortController();
  const dropped = new Promise<void>((resolve) => abort.signal.addEventListener("abort", () => resolve()));
  await Promise.race([server.shutdown(), dropped]);
  clearTimeout(patience);
}
