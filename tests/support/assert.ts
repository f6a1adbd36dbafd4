// The names of @std/assert over node:assert, so that the suite installs from npm alone; README says how to switch.
import assertion from "node:assert/strict";

export function assert(value: unknown, message?: string): asserts value {
  assertion.ok(value, message);
}

export function assertEquals<T>(actual: T, expected: T, message?: string): void {
  assertion.deepEqual(actual, expected, message);
}

export function assertNotEquals<T>(actual: T, expected: T, message?: string): void {
  assertion.notDeepEqual(actual, expected, message);
}

export function assertExists<T>(value: T, message?: string): asserts value is NonNullable<T> {
  assertion.ok(value !== null && value !== undefined, message ?? "Expected a value, got none");
}

export function assertMatch(actual: string, expected: RegExp, message?: string): void {
  assertion.match(actual, expected, message);
}

export function assertStringIncludes(actual: string, expected: string, message?: string): void {
  assertion.ok(actual.includes(expected), message ?? `Expected ${JSON.stringify(actual)} to include ${expected}`);
}

export function assertObjectMatch(actual: object, expected: object, message?: string): void {
  assertion.partialDeepStrictEqual(actual, expected, message);
}

type ErrorClass = abstract new (...args: never[]) => Error;

/** Checks what was thrown the way @std/assert does: by class, then by a part of its message. */
function checkThrown(thrown: unknown, errorClass?: ErrorClass, messageIncludes?: string): Error {
  assertion.ok(thrown instanceof Error, `Expected an Error to be thrown: got ${String(thrown)}`);
  if (errorClass) assertion.ok(thrown instanceof errorClass, `Expected ${errorClass.name}: got ${thrown.stack}`);
  if (messageIncludes) assertStringIncludes(thrown.message, messageIncludes);
  return thrown;
}

export async function assertRejects(
  run: () => PromiseLike<unknown>,
  errorClass?: ErrorClass,
  messageIncludes?: string,
): Promise<Error> {
  try {
    await run();
  } catch (thrown) {
    return checkThrown(thrown, errorClass, messageIncludes);
  }
  throw new assertion.AssertionError({ message: "Expected a rejection, but it resolved" });
}

export function fail(message: string): never {
  throw new assertion.AssertionError({ message });
}
