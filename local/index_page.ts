// The page at /: what this stack offers and where.

const SERVICES = [
  ["/rest/v1/", "Data API"],
  ["/auth/v1/health", "Auth"],
  ["/storage/v1/", "Storage"],
  ["/functions/v1/", "Edge functions"],
  ["/mail", "Outgoing mail"],
];

export function indexPage(origin: string): Response {
  const rows = SERVICES.map(([path, name]) => `<li>${name}: <a href="${path}"><code>${origin}${path}</code></a></li>`);
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Genesis Engine</title>
    <style>:root{color-scheme:light dark}body{font:16px/1.6 system-ui;max-width:40rem;margin:3rem auto;padding:0 1rem}</style>
    <h1>Genesis Engine</h1><p>The local stack is running. Its keys are in <code>stack.env</code> of the state directory.</p>
    <ul>${rows.join("")}</ul></html>`;
  return new Response(html, { headers: { "content-type": "text/html; charset=utf-8" } });
}
