// Colours, unless NO_COLOR is set or nobody could see them.

const hasColour = !Deno.env.get("NO_COLOR") && Deno.stdout.isTerminal();

function style(code: number): (text: string) => string {
  return hasColour ? (text) => `\x1b[${code}m${text}\x1b[0m` : (text) => text;
}

export const styles = {
  bold: style(1),
  dim: style(2),
  red: style(31),
  green: style(32),
  yellow: style(33),
  cyan: style(36),
};
