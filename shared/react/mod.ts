// React hooks over the typed client: live, cleaned up at unmount, and joined once however often they are mounted.
//
//     <GenesisProvider genesis={createBrowserGenesis({ url, publishableKey })}>
//       <Run id={executionId} />
//     </GenesisProvider>
//
//     function Run({ id }: { id: string }) {
//       const { execution, tasks, isLive } = useExecution(id);
//       …
//     }
"use client";

export { GenesisProvider, useGenesis } from "./context.ts";
export { type Conflict, type SaveInput, type UseArtifacts, useArtifacts } from "./use_artifacts.ts";
export { type ShownMessage, type UseChatSession, useChatSession } from "./use_chat_session.ts";
export { type UseExecution, useExecution } from "./use_execution.ts";
export { type Somebody, type Topic, type UsePresence, usePresence } from "./use_presence.ts";
export { type UseProject, useProject } from "./use_project.ts";
export { type UseRealtimeSubscription, useRealtimeSubscription } from "./use_realtime_subscription.ts";
