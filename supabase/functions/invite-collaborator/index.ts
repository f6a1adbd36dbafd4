// The function invite-collaborator: how people come into a project.
import { createApp } from "../_shared/app.ts";

export default createApp("invite-collaborator", () => import("./operations.ts"));
