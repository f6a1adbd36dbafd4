// complete-task against requests that nobody should send.
import { testHostileInput } from "./shoot.ts";

testHostileInput("complete-task");
