// The reference model's state: outputs folded channel by channel, in the order of the graph.
import type { Json, Predicate, Reducer } from "./graph.ts";

export type State = Record<string, Json>;

const isObject = (value: Json): value is { [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const reducers: Record<Reducer, (values: Json[]) => Json> = {
  replace: (values) => values.at(-1) ?? null,
  append: (values) => values.flat(1),
  merge: (values) => Object.assign({}, ...values.filter(isObject)),
  sum: (values) => {
    const numbers = values.filter((value) => typeof value === "number");
    return numbers.length > 0 ? numbers.reduce((sum, value) => sum + value, 0) : null;
  },
};

/** Folds outputs, given in order with the node each came from, over the execution's input. */
export function fold(
  channels: Record<string, Reducer>,
  input: State,
  outputs: { node: string; output: Json }[],
): State {
  const written = new Map<string, Json[]>();
  for (const part of [input, ...outputs.map(({ node, output }) => isObject(output) ? output : { [node]: output })]) {
    for (const [channel, value] of Object.entries(part)) {
      written.set(channel, [...written.get(channel) ?? [], value]);
    }
  }
  return Object.fromEntries(
    [...written].map(([channel, values]) => [channel, reducers[channels[channel] ?? "replace"](values)]),
  );
}

export function holds(predicate: Predicate | undefined, state: State): boolean {
  if (!predicate) return true;
  // A jsonpath looks into a list, and finds one item that will do.
  const values = [state[predicate.channel] ?? null].flat(1).filter((value) => typeof value === "number");
  return values.some((value) =>
    predicate.op === ">"
      ? value > predicate.value
      : predicate.op === "<"
      ? value < predicate.value
      : value === predicate.value
  );
}

/** The list that a map runs over, or undefined where there is none. */
export function listOf({ channel, items }: { channel: string; items: boolean }, state: State): Json[] | undefined {
  const value = state[channel];
  if (Array.isArray(value)) return value;
  if (!items) return undefined;
  return value === undefined ? [] : [value];
}
