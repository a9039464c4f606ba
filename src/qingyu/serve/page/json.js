// Lays out JSON text anew without reading its values: every digit stays as it was written.
//
//   tidyJson('{"a":[1,2.50]}')      indented by two; null if the text is not JSON

export function tidyJson(text) {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  // Known to be JSON now, so that texts, marks and bare words are all there is.
  const parts = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g);
  let depth = 0;
  let tidy = "";
  const line = () => `\n${"  ".repeat(depth)}`;
  parts.forEach((part, place) => {
    if (part === "{" || part === "[") {
      depth += 1;
      const closes = parts[place + 1] === "}" || parts[place + 1] === "]";
      tidy += closes ? part : part + line();
    } else if (part === "}" || part === "]") {
      depth -= 1;
      const opened = parts[place - 1] === "{" || parts[place - 1] === "[";
      tidy += opened ? part : line() + part;
    } else if (part === ",") {
      tidy += part + line();
    } else if (part === ":") {
      tidy += ": ";
    } else {
      tidy += part;
    }
  });
  return tidy;
}
