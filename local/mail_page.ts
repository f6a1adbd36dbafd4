// The page at /mail: every kept message, newest first, as its reader would see it.
import type { Mail } from "./mail.ts";

const STYLE = `
  :root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
  h1 { font-size: 1.3rem; } p.none { opacity: .7; }
  details { border: 1px solid var(--line); border-radius: .5rem; margin: .6rem 0; }
  summary { padding: .6rem .9rem; cursor: pointer; display: flex; gap: .8rem; flex-wrap: wrap; }
  summary b { flex: 1; } summary span { opacity: .7; }
  iframe { border: 0; border-top: 1px solid var(--line); width: 100%; height: 20rem; background: #fff; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; padding: .6rem .9rem; border-top: 1px solid var(--line); }
`;

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;" };

export const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? "");

/** Plain text with its links made into links. */
function linkify(text: string): string {
  return escapeHtml(text).replace(/https?:\/\/[^\s<>"']+/g, (url) => `<a href="${url}" rel="noreferrer">${url}</a>`);
}

function entry(mail: Mail, isNewest: boolean): string {
  // A message is someone else's HTML: the frame gets no script and no access to this page, only links that open a tab.
  const frame = mail.html &&
    `<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" srcdoc="${
      escapeHtml(`<base target="_blank">${mail.html}`)
    }"></iframe>`;
  return `<details${isNewest ? " open" : ""}>
    <summary><b>${escapeHtml(mail.subject)}</b><span>${escapeHtml(mail.to)}</span><time>${mail.sent_at}</time></summary>
    ${frame}<pre>${linkify(mail.text)}</pre>
  </details>`;
}

export function mailPage(mails: Mail[]): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Mail</title>
    <meta name="viewport" content="width=device-width, initial-scale=1"><style>${STYLE}</style>
    <h1>Mail (${mails.length})</h1>
    ${
    mails.map((mail, index) => entry(mail, index === 0)).join("\n") || '<p class="none">Nothing has been sent yet.</p>'
  }
  </html>`;
}
