// upload-file against requests that nobody should send.
import { testHostileInput } from "./shoot.ts";

testHostileInput("upload-file");
