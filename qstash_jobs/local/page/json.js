// A JSON text -> the same text with its levels to be seen: every digit and every name stays as it was written.

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g;

export function indent(text) {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  const tokens = text.match(TOKEN);
  let level = 0;
  let written = "";
  const line = () => `\n${"  ".repeat(Math.min(level, 50))}`;
  tokens.forEach((token, number) => {
    const opens = token === "{" || token === "[";
    const closes = token === "}" || token === "]";
    const last = tokens[number - 1];
    const isEmpty = closes && (last === "{" || last === "[");
    if (closes) level -= 1;
    if (closes && !isEmpty) written += line();
    written += token === ":" ? ": " : token;
    if (opens) level += 1;
    const next = tokens[number + 1];
    if ((opens && next !== "}" && next !== "]") || token === ",") written += line();
  });
  return written;
}
