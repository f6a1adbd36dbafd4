// The operations of invite-collaborator, loaded by the first request that needs one.
import { accept } from "./accept_invitation.ts";
import { invite } from "./invite_collaborator.ts";

export const routes = [invite, accept];
