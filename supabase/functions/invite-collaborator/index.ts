// The function invite-collaborator: how people come into a project.
import { createApp } from "../_shared/app.ts";
import { accept } from "./accept_invitation.ts";
import { invite } from "./invite_collaborator.ts";

export default {
  fetch: createApp("invite-collaborator", [invite, accept]).fetch,
};
