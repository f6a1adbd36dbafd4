// What the driver does not read of a database's URL.

/** The name of a URL's database, which the driver would take percent-encoded as it stands there. */
export function databaseOf(url: string): string {
  return decodeURIComponent(/^\w+:\/\/[^/]*\/([^?]*)/.exec(url)?.[1] ?? "");
}
