// A small page on the hooks: a run progressing, who is there, a chat, the project's name and its files. The tests open it
// in two browsers; the address says who signs in and what is shown.
import { createClient } from "@supabase/supabase-js";
import { type FormEvent, StrictMode, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import { createGenesis, type Database } from "../../../shared/client/mod.ts";
import {
  type Conflict,
  GenesisProvider,
  type Topic,
  useArtifacts,
  useChatSession,
  useExecution,
  usePresence,
  useProject,
  useRealtimeSubscription,
} from "../../../shared/react/mod.ts";

const given = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
const {
  url = "",
  key = "",
  email = "",
  password = "",
  name = "",
  project = "",
  execution = "",
  chat = "",
  keep = "200",
} = given;

/** Where a refusal is shown anyway, through the hook's `error`. */
const shown = () => {};

// The types of a browser would replace those that Deno has for everything else in this repository.
const { document } = globalThis as unknown as { document: { getElementById(id: string): Element | null } };
const valueOf = (event: { target: unknown }) => (event.target as { value: string }).value;

function Live({ isLive }: { isLive: boolean }) {
  return <small className={isLive ? "live" : "waiting"}>{isLive ? "live" : "connecting"}</small>;
}

function Project() {
  const { project: row, members = [], error, isLive, updateProject } = useProject(project);
  const [text, setText] = useState("");
  const rename = (event: FormEvent) => {
    event.preventDefault();
    updateProject({ name: text }).catch(shown);
  };
  return (
    <header>
      <h1 id="project-name">{row?.name ?? "…"}</h1>
      <Live isLive={isLive} />
      <p>{members.map((member) => member.role).sort().join(", ")}</p>
      <form onSubmit={rename}>
        <input id="new-name" value={text} onChange={(event) => setText(valueOf(event))} placeholder="New name" />
        <button id="rename" type="submit">Rename</button>
      </form>
      <p className="error" id="project-error">{error?.code}</p>
    </header>
  );
}

function People() {
  const [topic, setTopic] = useState<Topic>(`project:${project}`);
  const { everybody, error } = usePresence(topic, { name });
  const names = everybody.flatMap(({ states }) => states.map((state) => state.name));
  // How many were shown in the first moment of a topic.
  const first = useRef({ topic, count: 0 });
  if (first.current.topic !== topic) first.current = { topic, count: everybody.length };
  return (
    <section data-topic={topic} data-first={first.current.count} id="here">
      <h2>Here now</h2>
      <button type="button" id="elsewhere" onClick={() => setTopic(`execution:${execution}`)}>At the run</button>
      <ul id="people">{[...new Set(names)].sort().map((person) => <li key={person}>{person}</li>)}</ul>
      <p className="error">{error?.code}</p>
    </section>
  );
}

function Run() {
  const { execution: row, tasks, events, isLive } = useExecution(execution, { keep: Number(keep) });
  return (
    <section>
      <h2>
        Run <b id="run-status" className={row?.status}>{row?.status ?? "…"}</b> <Live isLive={isLive} />
      </h2>
      <ol id="tasks">
        {tasks.map((task) => (
          <li key={task.id} className={task.status}>
            {task.node_id} <small>{task.status}</small>
          </li>
        ))}
      </ol>
      <details>
        <summary>{events.length} events</summary>
        <ol id="events">{events.map((event) => <li key={event.id}>{event.id} {event.type}</li>)}</ol>
      </details>
    </section>
  );
}

function Chat() {
  const { session, messages, error, addMessage } = useChatSession(chat);
  const [text, setText] = useState("");
  const send = (event: FormEvent) => {
    event.preventDefault();
    addMessage({ content: text }).catch(shown);
    setText("");
  };
  return (
    <section>
      <h2>{session?.title ?? "Chat"}</h2>
      <ul id="messages">
        {messages.map((message) => (
          <li key={message.key} className={message.isPending ? "pending" : "sent"}>{message.content}</li>
        ))}
      </ul>
      <form onSubmit={send}>
        <input id="message" value={text} onChange={(event) => setText(valueOf(event))} placeholder="Message" />
        <button id="send" type="submit">Send</button>
      </form>
      <p className="error" id="chat-error">{error?.code}</p>
    </section>
  );
}

function Editor({ files }: { files: ReturnType<typeof useArtifacts> }) {
  const [edited, setEdited] = useState<{ path: string; version: number; text: string } | null>(null);
  const open = async (path: string) => {
    const { version, content } = await files.open(path);
    setEdited({ path, version, text: content });
  };
  const save = async (event: FormEvent) => {
    event.preventDefault();
    if (!edited) return;
    const { path, version, text } = edited;
    const fields = { language: "markdown", type: "file" as const, metadata: { by: "page" } };
    await files.save({ file_path: path, content: text, base_version: version, ...fields })
      .then(() => setEdited(null), shown);
  };
  return (
    <>
      <ul id="files">
        {files.artifacts.map(({ file_path, version, isPending }) => (
          <li key={file_path} className={isPending ? "pending" : "sent"}>
            <button
              type="button"
              onClick={() =>
                open(file_path)}
            >
              {file_path}
            </button>{" "}
            <small>version {version}</small>
          </li>
        ))}
      </ul>
      {edited && (
        <form onSubmit={save}>
          <textarea
            id="text"
            value={edited.text}
            onChange={(event) => setEdited({ ...edited, text: valueOf(event) })}
          />
          <button id="save" type="submit">Save {edited.path}</button>
        </form>
      )}
    </>
  );
}

function Conflicts({ files }: { files: ReturnType<typeof useArtifacts> }) {
  const keepMine = (conflict: Conflict) => files.resolve(conflict, conflict.content).catch(shown);
  return files.conflicts.map((conflict) => (
    <aside key={conflict.file_path} className="conflict">
      <p>
        {conflict.file_path} is at version {conflict.head_version}; yours was made from {conflict.base_version}.
      </p>
      <pre className="theirs">{conflict.head_content}</pre>
      <button type="button" className="mine" onClick={() => keepMine(conflict)}>Keep mine</button>
      <button type="button" className="their" onClick={() => files.dismiss(conflict)}>Keep theirs</button>
    </aside>
  ));
}

function Files() {
  const files = useArtifacts(project);
  const [changes, setChanges] = useState(0);
  const filter = `project_id=eq.${project}`;
  const { isConnected } = useRealtimeSubscription({ table: "code_artifacts", event: "INSERT", filter }, () => {
    setChanges((before) => before + 1);
  });
  return (
    <section>
      <h2>
        Files <Live isLive={isConnected} />
      </h2>
      <p>
        <span id="changes">{changes}</span> saved while you looked
      </p>
      <Editor files={files} />
      <Conflicts files={files} />
    </section>
  );
}

function Page() {
  const [isShown, setIsShown] = useState(true);
  return (
    <>
      <button id="toggle" type="button" onClick={() => setIsShown(!isShown)}>
        {isShown ? "Leave" : "Come back"}
      </button>
      {isShown && (
        <main>
          <Project />
          <People />
          <Run />
          <Chat />
          <Files />
        </main>
      )}
    </>
  );
}

const supabase = createClient<Database>(url, key, { auth: { persistSession: false } });
const { error } = await supabase.auth.signInWithPassword({ email, password });
if (error) throw error;
Object.assign(globalThis, { supabase });
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <GenesisProvider genesis={createGenesis(supabase)}>
        <Page />
      </GenesisProvider>
    </StrictMode>,
  );
}
