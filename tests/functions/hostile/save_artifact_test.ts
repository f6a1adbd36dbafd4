// save-artifact against requests that nobody should send.
import { testHostileInput } from "./shoot.ts";

testHostileInput("save-artifact");
