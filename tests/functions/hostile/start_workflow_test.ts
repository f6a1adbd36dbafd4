// start-workflow against requests that nobody should send.
import { testHostileInput } from "./shoot.ts";

testHostileInput("start-workflow");
