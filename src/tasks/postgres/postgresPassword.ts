/** Keeps the passwords of a connection string out of what the server and the library say of it. */
import { secretPattern } from "../../core/template/secretForms.ts";

/** Parameters of a connection string that are as secret as the password in front of the host. */
const SECRET_PARAMETERS = ["password", "sslpassword"] as const;

/**
 * The message with the connection string and its passwords replaced by `[secret]`: as they are written, decoded, in
 * upper and lower case, and in every encoding that secrets are masked in.
 */
export function withoutPassword(message: string, connectionString: string): string {
  const patterns = [connectionString, ...passwordsOf(connectionString)]
    .flatMap((text) => [text, text.toUpperCase(), text.toLowerCase()])
    .filter((text) => text !== "")
    .sort((a, b) => b.length - a.length)
    .map((text) => secretPattern(text));
  if (patterns.length === 0) return message;
  return message.replace(new RegExp([...new Set(patterns)].join("|"), "g"), "[secret]");
}

function passwordsOf(connectionString: string): readonly string[] {
  const url = URL.parse(connectionString);
  if (url === null) return [];
  const parameters = SECRET_PARAMETERS.flatMap((name) => url.searchParams.getAll(name));
  return [url.password, decoded(url.password), ...parameters];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
