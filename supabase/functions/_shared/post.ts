// A POST of JSON to a service that is not the database, given ten seconds.

/** Posts JSON and throws with the service's words when it is refused. */
export async function post(url: string, headers: Record<string, string>, body: unknown): Promise<void> {
  const response = await fetch(url, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`The service answered ${response.status}: ${answer.slice(0, 200)}`);
}
