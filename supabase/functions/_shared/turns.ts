// What only so many can use at once is used in turns: the connections to the database, and the memory for large bodies.
import { answers } from "./sending.ts";

/**
 * Turns at so many places. The more of them one holder has, the more must be free for theirs to begin: however many of
 * one holder's wait, and however long they take, somebody else finds a place. Work without a holder takes any.
 * @param isAnswered what the work finds is its holder's answer, which begins when they have read those before
 */
export function createTurns(places: number, isAnswered = false) {
  const held = new Map<string, number>();
  const waiting: { holder: string | undefined; begin: () => void }[] = [];
  let free = places;

  const heldBy = (holder: string | undefined) => holder === undefined ? 0 : held.get(holder) ?? 0;
  const mayBegin = ({ holder }: { holder: string | undefined }) =>
    free > heldBy(holder) && (!isAnswered || answers.leaveRoom(holder));
  if (isAnswered) answers.onRoom(beginWaiting);

  function move(holder: string | undefined, taken: 1 | -1): void {
    free -= taken;
    if (holder === undefined) return;
    const count = heldBy(holder) + taken;
    if (count === 0) held.delete(holder);
    else held.set(holder, count);
  }

  /** Who waits takes over the places that are free. */
  function beginWaiting(): void {
    for (let next = waiting.findIndex(mayBegin); next >= 0; next = waiting.findIndex(mayBegin)) {
      for (const { holder, begin } of waiting.splice(next, 1)) {
        move(holder, 1);
        begin();
      }
    }
  }

  async function inTurn<Result>(holder: string | undefined, work: () => Promise<Result>): Promise<Result> {
    if (mayBegin({ holder })) move(holder, 1);
    else await new Promise<void>((begin) => waiting.push({ holder, begin }));
    try {
      return await work();
    } finally {
      move(holder, -1);
      beginWaiting();
    }
  }

  /** Does somebody wait while all places are taken? Who only has too many of their own waits beside free ones. */
  const isCrowded = () => free === 0 && waiting.length > 0;
  return Object.assign(inTurn, { isCrowded });
}

/** What smaller bodies take does not count. */
export const LARGE_BYTES = 1_048_576;

/** Where large bodies are read: at more places than they are worked at, since a slow one keeps its own while it comes. */
export const inReadingTurn = createTurns(8);

// As a text, as values and as the text that goes to the database, each is there several times, and without turns a
// process would keep the memory that the most of them ever took at once. As many as there are connections, for which they
// would wait next.
const inLargeTurn = createTurns(4);

/** Does the work at once for a small body, and in its holder's turn for a large one, by what it weighs in bytes. */
export async function inTurn<Result>(weight: number, work: () => Promise<Result>, holder?: string): Promise<Result> {
  return weight > LARGE_BYTES ? await inLargeTurn(holder, work) : await work();
}
