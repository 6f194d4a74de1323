/** Text as one word of a shell's command line, to be printed on a terminal and pasted. */
import { printable } from "./printable.ts";

/** As it is where no shell reads anything into it; what cannot be printed is escaped, as bash and zsh read it. */
export function shellWord(text: string): string {
  if (/^[\w./-]+$/.test(text)) return text;
  if (printable(text) === text) return `'${text.replaceAll("'", "'\\''")}'`;
  return `$'${printable(text.replace(/['\\]/g, "\\$&"))}'`;
}
