/**
 * The import law: who may import whom, and what no file may be. Invariants that are an absence cannot be seen
 * in any one file, so they are checked over the whole graph.
 */

/** A source file by its path from the top of the project. */
export type Sources = ReadonlyMap<string, string>;

/**
 * What each part of `src` may import of the others: folders by their names, entries by their files. ARCHITECTURE.md
 * shows this table, and a test compares the two.
 */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  schema: ["core"],
  objects: ["core"],
  storage: ["core", "schema"],
  tasks: ["core", "schema", "objects", "storage"],
  sources: ["core", "schema", "objects", "storage", "tasks"],
  runSpec: ["core", "schema", "tasks", "sources"],
  run: ["core", "objects", "storage", "tasks"],
  runs: ["core", "schema", "objects", "storage", "tasks", "sources", "runSpec"],
  background: ["core", "objects", "storage", "sources"],
  lane: ["core", "objects", "storage", "tasks", "sources", "run", "background"],
  schedule: ["core", "schema", "objects", "storage", "sources", "runSpec", "runs"],
  target: ["core", "schema", "objects", "storage"],
  api: [
    ...["core", "schema", "objects", "storage", "tasks", "sources", "runSpec", "run", "runs"],
    ...["background", "schedule", "target"],
  ],
  sim: ["core", "storage", "tasks", "sources", "run", "lane"],
  cli: ["core", "schema", "storage", "tasks", "sources", "runSpec", "runs", "schedule", "target", "sim"],
  package: ["core", "objects", "storage", "tasks", "sources", "run", "lane", "schedule", "target", "api"],
  "index.ts": ["package"],
  "embeddedWorker.ts": ["package"],
  "embeddedLanes.ts": ["package"],
};

/** Files that import each other, by type alone and within one folder, each with its reason. */
export const CYCLES: readonly { readonly files: readonly string[]; readonly because: string }[] = [
  {
    files: ["lastFault.ts", "run.ts", "smoke.ts", "takeover.ts", "targetShare.ts", "waiting.ts"].map(
      (file) => `src/core/run/${file}`,
    ),
    because: "the state of a run consists of theirs, and they are functions of that state",
  },
  {
    files: ["src/api/context.ts", "src/api/errors.ts"],
    because: "an error is answered within a request, and a request's parameters may be an error",
  },
  {
    files: ["src/cli/connection.ts", "src/cli/lookingAgain.ts"],
    because: "a connection is looked for again, and what looks again gives a connection",
  },
  {
    files: ["src/cli/flags/flags.ts", "src/cli/flags/scheduleFlags.ts", "src/cli/flags/targetFlags.ts"],
    because: "flags of schedules and targets are flags, and stand in the list of all flags",
  },
  {
    files: ["src/tasks/http/httpBatchSettings.ts", "src/tasks/http/httpSettings.ts"],
    because: "the plan of a call for several items is a part of the plan of a call, and is checked with it",
  },
  {
    files: ["src/tasks/llm/tokenizer.ts", "src/tasks/llm/tokenizerTables.ts"],
    because: "a build may replace where the tables come from, and the tables are those of an encoding",
  },
  {
    files: ["src/tasks/scrape/scrapeSchema.ts", "src/tasks/scrape/scrapeSettings.ts"],
    because: "what a schema accepts is checked further, and the check takes what the schema gives",
  },
];

const NAMES_THAT_SAY_NOTHING = /^(utils?|helpers?|common|managers?|services?)$/i;
/** What makes a function depend on more than its arguments, or answer later. */
const IMPURE =
  /\b(async|await|Promise|Date\.now|Math\.random|performance|crypto|console|process)\b|new Date\(\)/;

/** Every breach as one sentence; empty when the law holds. */
export function breaches(sources: Sources): string[] {
  return [...sources]
    .flatMap(([path, text]) => [
      ...importBreaches(path, text),
      ...nameBreaches(path),
      ...barrelBreaches(path, text),
      ...purityBreaches(path, text),
    ])
    .concat(cycleBreaches(sources));
}

function importBreaches(path: string, text: string): string[] {
  const room = roomOf(path);
  if (room === null) return [];
  const found: string[] = [];
  for (const { specifier } of importsOf(text)) {
    const target = specifier.startsWith(".") ? joinPath(path, specifier) : null;
    if (target === null) {
      if (room === "core") found.push(`${path} imports ${specifier}: core imports nothing from outside core`);
    } else if (!target.startsWith("src/")) {
      // Its version, and the command as it was built from this very source.
      if (target !== "package.json" && target !== "dist/cli/weir.js") {
        found.push(`${path} imports ${specifier}: the product stands on src alone`);
      }
    } else if (!mayImport(room, roomOf(target) ?? "")) {
      found.push(
        `${path} imports ${specifier}: ${room} may import ${MAY_IMPORT[room]?.join(", ") || "nothing"}`,
      );
    }
  }
  return found;
}

function mayImport(room: string, target: string): boolean {
  return room === target || MAY_IMPORT[room]?.includes(target) === true;
}

/** The part of `src` that a file belongs to; null for a file of something else. */
export function roomOf(path: string): string | null {
  const [top, room] = path.split("/");
  return top === "src" && room !== undefined ? room : null;
}

/** Pairs of parts of `src` of which the first one imports the second. */
export function roomImports(sources: Sources): ReadonlySet<string> {
  const pairs = new Set<string>();
  for (const [path, text] of sources) {
    const room = roomOf(path);
    for (const { specifier } of room === null ? [] : importsOf(text)) {
      const target = specifier.startsWith(".") ? roomOf(joinPath(path, specifier)) : null;
      if (target !== null && target !== room) pairs.add(`${room} -> ${target}`);
    }
  }
  return pairs;
}

/** Files of `src` that import each other but for those that `CYCLES` has, and any that do so by value. */
function cycleBreaches(sources: Sources): string[] {
  const known = CYCLES.map(({ files }) => [...files].sort().join());
  const { all, ofValues } = fileKnots(sources);
  return [
    ...ofValues.map((files) => `${files.join(", ")} import each other`),
    ...all
      .filter((files) => !known.includes(files.join()))
      .map((files) => `${files.join(", ")} import each other by type: say why in CYCLES`),
  ];
}

/** Sets of files of `src` that import each other, by value or by type, and by value alone. */
export function fileKnots(sources: Sources): { readonly all: string[][]; readonly ofValues: string[][] } {
  const all = new Map<string, string[]>();
  const ofValues = new Map<string, string[]>();
  for (const [path, text] of sources) {
    if (roomOf(path) === null) continue;
    const own = importsOf(text).filter(({ specifier }) => specifier.startsWith("."));
    all.set(
      path,
      own.map(({ specifier }) => joinPath(path, specifier)),
    );
    ofValues.set(
      path,
      own.filter(({ isType }) => !isType).map(({ specifier }) => joinPath(path, specifier)),
    );
  }
  return { all: knots(all), ofValues: knots(ofValues) };
}

/** Strongly connected components of two nodes or more (Tarjan 1972), each sorted. */
export function knots(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const visit = (node: string): void => {
    order.set(node, order.size);
    lowest.set(node, order.get(node) as number);
    stack.push(node);
    for (const next of edges.get(node) ?? []) {
      if (!order.has(next)) {
        visit(next);
        lowest.set(node, Math.min(lowest.get(node) as number, lowest.get(next) as number));
      } else if (stack.includes(next)) {
        lowest.set(node, Math.min(lowest.get(node) as number, order.get(next) as number));
      }
    }
    if (lowest.get(node) !== order.get(node)) return;
    const knot = stack.splice(stack.indexOf(node));
    if (knot.length > 1) found.push(knot.sort());
  };
  for (const node of edges.keys()) if (!order.has(node)) visit(node);
  return found;
}

function nameBreaches(path: string): string[] {
  const said = path.split("/").map((part) => part.replace(/(\.test)?\.\w+$/, ""));
  return said
    .filter((part) => NAMES_THAT_SAY_NOTHING.test(part))
    .map((part) => `${path}: "${part}" says nothing about what is in it`);
}

function barrelBreaches(path: string, text: string): string[] {
  // The two faces: what is deployed, and what projects import.
  if (path === "src/index.ts" || path === "src/package/weirRun.ts") return [];
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

/** Imports and re-exports; of type: nothing of them is left when it runs. */
function importsOf(text: string): { readonly specifier: string; readonly isType: boolean }[] {
  const code = withoutComments(text);
  const stated = code.matchAll(
    /^(?:import|export)\s+(?:(type\s+)?(\{[^}]*\}|[^"{}]*?)\s+from\s+)?"([^"]+)"/gm,
  );
  const called = code.matchAll(/\bimport\s*\(\s*"([^"]+)"/g);
  return [
    ...[...stated].map(([, type, names = "", specifier = ""]) => ({
      specifier,
      isType: type !== undefined || /^\{(\s*type\s[^,]*,?)+\s*\}$/.test(names),
    })),
    ...[...called].map(([, specifier = ""]) => ({ specifier, isType: false })),
  ];
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
