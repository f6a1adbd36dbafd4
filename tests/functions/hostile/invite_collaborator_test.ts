// invite-collaborator against requests that nobody should send.
import { testHostileInput } from "./shoot.ts";

testHostileInput("invite-collaborator");
