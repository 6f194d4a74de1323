/**
 * The import law: who may import whom, and what no file may be. Invariants that are an absence cannot be seen
 * in any one file, so they are checked over the whole graph.
 */

/** A source file by its path from the top of the project. */
export type Sources = ReadonlyMap<string, string>;

const WORKER_FOLDERS = ["api", "lane", "run", "schedule", "sources", "spec", "storage", "tasks"];
const ABOVE_WORKER = ["src/index.ts", "src/cli/", "src/dashboard/"];
const NAMES_THAT_SAY_NOTHING = /^(utils?|helpers?|common|managers?|services?)$/i;
/** What makes a function depend on more than its arguments, or answer later. */
const IMPURE =
  /\b(async|await|Promise|Date\.now|Math\.random|performance|crypto|console|process)\b|new Date\(\)/;

/** Every breach as one sentence; empty when the law holds. */
export function breaches(sources: Sources): string[] {
  return [...sources].flatMap(([path, text]) => [
    ...importBreaches(path, text),
    ...nameBreaches(path),
    ...barrelBreaches(path, text),
    ...purityBreaches(path, text),
  ]);
}

function importBreaches(path: string, text: string): string[] {
  const found: string[] = [];
  for (const specifier of importsOf(text)) {
    const target = specifier.startsWith(".") ? joinPath(path, specifier) : null;
    if (path.startsWith("src/core/") && !target?.startsWith("src/core/")) {
      found.push(`${path} imports ${specifier}: core imports nothing from outside core`);
    }
    if (isWorkerFile(path) && target !== null && ABOVE_WORKER.some((above) => target.startsWith(above))) {
      found.push(`${path} imports ${specifier}: it stands below the entry, the command and the dashboard`);
    }
    if (path.startsWith("src/") && target !== null && !target.startsWith("src/")) {
      if (target !== "package.json")
        found.push(`${path} imports ${specifier}: the product stands on src alone`);
    }
  }
  return found;
}

function isWorkerFile(path: string): boolean {
  return WORKER_FOLDERS.some((folder) => path.startsWith(`src/${folder}/`));
}

function nameBreaches(path: string): string[] {
  const said = path.split("/").map((part) => part.replace(/(\.test)?\.\w+$/, ""));
  return said
    .filter((part) => NAMES_THAT_SAY_NOTHING.test(part))
    .map((part) => `${path}: "${part}" says nothing about what is in it`);
}

function barrelBreaches(path: string, text: string): string[] {
  if (path === "src/index.ts") return [];
  if (path.endsWith("/index.ts")) return [`${path} is a barrel by its name`];
  const code = withoutComments(text);
  const rest = code.replace(/^export\s+(type\s+)?(\*|\{[^}]*\})[^;]*?from\s+"[^"]+";?/gm, "");
  const isBarrel = rest.length < code.length && rest.trim() === "";
  return isBarrel || /^export\s+\*\s+from/m.test(code)
    ? [`${path} is a barrel: import from where things stand`]
    : [];
}

function purityBreaches(path: string, text: string): string[] {
  if (!path.startsWith("src/core/")) return [];
  const impure = IMPURE.exec(withoutComments(text).replace(/"[^"\n]*"|`[^`]*`/g, '""'));
  return impure === null
    ? []
    : [`${path} uses ${impure[0]}: core takes time and chance as arguments and never waits`];
}

function importsOf(text: string): string[] {
  const found = withoutComments(text).matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"([^"]+)"/g);
  return [...found].map((match) => match[1] as string);
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[^:"'])\/\/.*$/gm, "$1");
}

function joinPath(from: string, specifier: string): string {
  const parts = from.split("/").slice(0, -1);
  for (const step of specifier.split("/")) {
    if (step === "..") parts.pop();
    else if (step !== ".") parts.push(step);
  }
  return parts.join("/");
}
