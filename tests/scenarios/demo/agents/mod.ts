// The agents of the demo by the type that tasks ask for.
import type { Agent } from "./agent.ts";
import { architect } from "./architect.ts";
import { backend } from "./backend.ts";
import { mender } from "./debugger.ts";
import { frontend } from "./frontend.ts";
import { tester } from "./tester.ts";

export const agents: Record<string, Agent> = { architect, backend, frontend, tester, debugger: mender };
