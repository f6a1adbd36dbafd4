// Lets the stack outlive the terminal it was started in, for as long as it takes to stop: a line that nobody can read any
// more is no failure (console.log throws EIO once the terminal is closed).

export function outliveTerminal(): void {
  for (const name of ["log", "info", "warn", "error", "debug"] as const) {
    const print = console[name];
    console[name] = (...values: unknown[]) => {
      try {
        print(...values);
      } catch {
        // Nobody is there to read it.
      }
    };
  }
}
