// What a file costs a process while it comes, or is looked at, has its turns: uploads that stall, and requests of a hundred
// bytes that have fifty megabytes read, would otherwise take as much as one person likes to send.
import { createTurns } from "../_shared/turns.ts";

/**
 * Where uploads are received. Each under way holds half a megabyte, however slowly it comes: 900 that stalled took a
 * process to 450 MB. Who waits has had none of the body read.
 */
export const inUploadTurn = createTurns(64);

/** Where objects are read to find out what they are: up to 50 MiB each. */
export const inInspectionTurn = createTurns(8);
