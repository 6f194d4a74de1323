/** A target in a process of its own: its clock and its event loop are not those of what it measures. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { ArrivalLog } from "./arrivals.ts";
import type { Captured, Target, TargetOptions, TargetStats } from "./targetOptions.ts";

const ENTRY = join(import.meta.dirname, "target.ts");

/** Starts a target process; it ends with `close`, and by itself when this process ends in whatever way. */
export async function spawnTarget(options: TargetOptions = {}): Promise<Target> {
  const child = spawn(process.execPath, [ENTRY, JSON.stringify(options)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  const { url, control } = JSON.parse(line) as { url: string; control: string };

  const ask = async <T>(path: string, body?: unknown): Promise<T> => {
    const answer = await fetch(control + path, {
      method: body === undefined ? "GET" : "POST",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (await answer.json()) as T;
  };
  return {
    url,
    stats: () => ask<TargetStats>("/stats"),
    log: () => ask<ArrivalLog>("/log"),
    captured: () => ask<readonly Captured[]>("/captured"),
    set: (change) => ask<void>("/set", change),
    close: async () => {
      const ended = once(child, "exit");
      child.stdin.end();
      await ended;
    },
  };
}
