/** One process owns a state folder; nothing outlives it; presses and items are counted once. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createPresses } from "../../../src/cli/process/interrupts.ts";
import { isElsewhere, readOwner, takeOwnership } from "../../../src/cli/process/owner.ts";
import { isAlive, ownProcess, type ProcessId, startTimeOf } from "../../../src/cli/process/processes.ts";
import { type StateFolder, stateFolder } from "../../../src/cli/runtime/stateFolder.ts";
import { takeItems } from "../../../src/cli/takeItems.ts";
import { statements } from "../../../src/storage/index/migrate.ts";
import { until } from "../../support/until.ts";

const CLI = resolve(import.meta.dirname, "../../../src/cli");

let folder: StateFolder;
/** What a test leaves behind is removed with this, and nothing else is: some tests name folders of the system. */
let temporary: string;
const started: ChildProcess[] = [];
beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), "weir-owner-"));
  folder = stateFolder(join(temporary, "state"));
});
afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
  rmSync(temporary, { recursive: true, force: true });
});

/** A process that stays until it is ended. */
function start(...command: [string, ...string[]]): ChildProcess & { readonly pid: number } {
  const child = spawn(command[0], command.slice(1), { stdio: ["ignore", "pipe", "inherit"] });
  started.push(child);
  return child as ChildProcess & { readonly pid: number };
}

function idOf(pid: number): ProcessId {
  return { pid, startTime: startTimeOf(pid) ?? "" };
}

describe("a process", () => {
  test("is known by pid and start time", async () => {
    const child = start("sleep", "60");
    const id = idOf(child.pid);
    expect(isAlive(id)).toBe(true);
    expect(isAlive({ ...id, startTime: `${id.startTime}0` }), "another process with this pid").toBe(false);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(isAlive(id)).toBe(false);
  });
});

describe("ownership", () => {
  const take = () => takeOwnership(folder, { kind: "run", command: "run" });

  test("is held by one process and given up by it", async () => {
    const first = await take();
    expect(first.kind).toBe("taken");
    expect(await take()).toMatchObject({ kind: "owned", owner: ownProcess() });
    if (first.kind === "taken") first.ownership.release();
    expect(readOwner(folder)).toBeNull();
    expect((await take()).kind).toBe("taken");
  });

  /** A process that owns the folder, `workerd` announced, until it is ended. */
  const owner = async (workerd: ProcessId | null = null) => {
    const program = `
      const { stateFolder } = await import("${CLI}/runtime/stateFolder.ts");
      const { takeOwnership } = await import("${CLI}/process/owner.ts");
      const taking = await takeOwnership(stateFolder(${JSON.stringify(folder.path)}), { kind: "run", command: "run" });
      taking.ownership.announce(${JSON.stringify({ workerd })});
      console.log(taking.ownership.generation);
      setInterval(() => {}, 1000);
    `;
    const child = start(process.execPath, "--input-type=module", "--eval", program);
    const [line] = (await once(child.stdout ?? child, "data")) as [Buffer];
    const kill = async () => {
      child.kill("SIGKILL");
      await once(child, "exit");
    };
    return { generation: Number(line.toString()), kill };
  };
  /** Makes the folder's owner one of another container. */
  const moveElsewhere = () => {
    const written = JSON.parse(readFileSync(folder.ownerFile, "utf8"));
    writeFileSync(folder.ownerFile, JSON.stringify({ ...written, place: "elsewhere", startTime: "0" }));
  };

  test("passes on when its holder is dead, under a greater generation", async () => {
    for (const generation of [1, 2, 3]) {
      const holder = await owner();
      expect(holder.generation).toBe(generation);
      expect((await take()).kind).toBe("owned");
      await holder.kill();
    }
    expect(await take()).toMatchObject({ kind: "taken", ownership: { generation: "4" } });
  });

  test("passes on only after the former workerd is gone", async () => {
    const workerd = start("sleep", "60");
    const holder = await owner(idOf(workerd.pid));
    await holder.kill();
    expect((await take()).kind).toBe("taken");
    expect(startTimeOf(workerd.pid)).toBeNull();
  });

  test("of a process in another container lasts as long as that process", async () => {
    const holder = await owner();
    moveElsewhere();
    expect(isElsewhere(readOwner(folder) ?? expect.fail("it lives"))).toBe(true);
    expect(await take()).toMatchObject({ kind: "owned", owner: { command: "run" } });
    await holder.kill();
    expect(readOwner(folder)).toBeNull();
    expect((await take()).kind).toBe("taken");
  });

  test("lasts while its holder does though the owner file is lost", async () => {
    const holder = await owner();
    rmSync(folder.ownerFile);
    const taking = take();
    let isOver = false;
    void taking.then(() => {
      isOver = true;
    });
    await once(start("sleep", "0.2"), "exit");
    expect(isOver).toBe(false);
    await holder.kill();
    expect((await taking).kind).toBe("taken");
  });

  test("is taken though the lock's file holds bytes from elsewhere", async () => {
    mkdirSync(folder.path);
    writeFileSync(folder.lockFile, "not a database at all".repeat(400));
    const holder = await owner();
    expect((await take()).kind).toBe("owned");
    await holder.kill();
  });

  test.runIf(process.platform === "linux").each(["/proc/x", "/proc/x/y", "/dev/null/x"])(
    "of a folder at %s is refused with a sentence",
    async (path) => {
      folder = stateFolder(path);
      await expect(take()).rejects.toThrow(/^--state: the folder .* cannot be used: \S+ .*$/);
    },
  );

  test("of a folder with too long a path is refused with a sentence", async () => {
    folder = stateFolder(join(folder.path, "x".repeat(200), "x".repeat(200), "x".repeat(200)));
    await expect(take()).rejects.toThrow(/--state: .* is too long/);
  });

  test("never ends a process that merely has the pid of a former workerd", async () => {
    const innocent = start("sleep", "60");
    const taking = await take();
    if (taking.kind === "taken") {
      taking.ownership.announce({ workerd: { pid: innocent.pid, startTime: "0" } });
      taking.ownership.release();
    }
    expect((await take()).kind).toBe("taken");
    expect(startTimeOf(innocent.pid)).not.toBeNull();
  });

  test("keeps the folder and what is in it to its user", async () => {
    await take();
    expect(statSync(folder.path).mode & 0o777).toBe(0o700);
    expect(statSync(folder.ownerFile).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(folder.path, ".gitignore"), "utf8")).toBe("*\n");
  });
});

describe("the watchdog", () => {
  /** Starts `sleep` in the place of workerd, recorded and watched, and prints its pid. */
  const program = (path: string) => `
    const { spawn } = await import("node:child_process");
    const { prepareStateFolder, stateFolder } = await import("${CLI}/runtime/stateFolder.ts");
    const { recordedWorkerd, recordWorkerd, startWatchdog } = await import("${CLI}/process/watchdog.ts");
    const folder = stateFolder(${JSON.stringify(path)});
    prepareStateFolder(folder);
    recordWorkerd(folder, "/bin/sleep");
    startWatchdog(folder);
    spawn(process.env.MINIFLARE_WORKERD_PATH, ["60"], { stdio: "ignore" });
    while (recordedWorkerd(folder) === null) await new Promise((next) => setTimeout(next, 5));
    console.log(recordedWorkerd(folder).pid);
    setInterval(() => {}, 1000);
  `;

  test("ends the runtime when its command is killed", async () => {
    const command = start(process.execPath, "--input-type=module", "--eval", program(folder.path));
    const [line] = (await once(command.stdout ?? command, "data")) as [Buffer];
    const workerd = idOf(Number(line.toString()));
    expect(isAlive(workerd)).toBe(true);
    command.kill("SIGKILL");
    await until("the runtime to end", () => !isAlive(workerd));
  });
});

describe("presses of Ctrl-C", () => {
  test.each([
    ["one", [0], 1],
    ["one that arrives twice, as from timeout and systemd", [0, 1], 1],
    ["one that arrives by the outer process too", [0, 20, 40], 1],
    ["a finger that trembles", [0, 300], 1],
    ["two", [0, 700], 2],
    ["two that arrive twice each", [0, 20, 700, 720], 2],
    ["three", [0, 3000, 6000], 3],
  ] as const)("%s", (_, arrivals, presses) => {
    const isPress = createPresses();
    expect(arrivals.filter((atMs) => isPress(atMs))).toHaveLength(presses);
  });
});

describe("--limit", () => {
  const take = async (chunks: readonly string[], limit: number, isCsv = false) => {
    const source = (async function* () {
      for (const chunk of chunks) yield Buffer.from(chunk);
    })();
    let text = "";
    for await (const bytes of takeItems(source, limit, isCsv)) text += Buffer.from(bytes).toString();
    return text;
  };

  test("of CSV takes the header and the first records, quoted line ends included", async () => {
    const text = 'id,note\n\n1,"a\n""b"""\n2,c\n3,d\n';
    expect(await take([text], 1, true)).toBe('id,note\n\n1,"a\n""b"""\n');
    expect(await take([...text], 2, true)).toBe('id,note\n\n1,"a\n""b"""\n2,c\n');
  });

  test("takes the first lines that are not blank, however they are cut", async () => {
    const line = fc.constantFrom("a", "b c", "", " ", "\r", "é");
    await fc.assert(
      fc.asyncProperty(
        fc.array(line),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 7 }),
        async (lines, limit, size) => {
          const text = lines.map((one) => `${one}\n`).join("");
          const chunks = text.match(new RegExp(`[^]{1,${size}}`, "g")) ?? [];
          const items = (given: string) => given.split("\n").filter((one) => one.trim() !== "");
          expect(items(await take(chunks, limit))).toEqual(items(text).slice(0, limit));
        },
      ),
    );
  });

  test("takes a last line without an end", async () => {
    expect(await take(["a\nb"], 2)).toBe("a\nb");
  });
});

describe("a migration", () => {
  test("is split at semicolons, without its comments", () => {
    expect(
      statements("-- one; not a statement\nCREATE TABLE a (x); -- tail\n\nCREATE INDEX i\n  ON a (x);\n"),
    ).toEqual(["CREATE TABLE a (x)", "CREATE INDEX i\n  ON a (x)"]);
  });
});
