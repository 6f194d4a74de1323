/**
 * Memory and processor time of a process tree, sampled from /proc while it lives. Processor time of a process that ends
 * between two samples is counted up to the last one.
 */
import { cpuMsOf, isAlive, killAll, memoryOf, processTree } from "../../test/support/processTree.ts";

const SAMPLE_MS = 100;

export interface TreeFigures {
  /** Peaks over all processes, bytes. */
  readonly peakRss: number;
  readonly peakAnonymous: number;
  /** Of all processes since they were first seen, milliseconds. */
  readonly cpuMs: number;
  /** About ten a second, from the start of the watch. */
  readonly samples: readonly TreeSample[];
}

export interface TreeSample {
  readonly atEpochMs: number;
  /** Resident bytes of all processes. */
  readonly rss: number;
  /** Processor time of all processes since they were first seen, milliseconds. */
  readonly cpuMs: number;
}

export interface WatchedTree {
  /** Processes of the tree seen so far that are alive. */
  alive(): readonly number[];
  /** Ends the watch, and every process but the roots that is still alive. */
  stop(): TreeFigures;
}

/** `roots`: processes whose descendants count with them. */
export function watchTree(roots: readonly number[]): WatchedTree {
  const first = new Map<number, number>();
  const last = new Map<number, number>();
  const samples: TreeSample[] = [];
  const cpuMs = () => [...last].reduce((sum, [pid, ms]) => sum + ms - (first.get(pid) ?? 0), 0);
  let peakAnonymous = 0;
  const sample = () => {
    const tree = roots.flatMap((root) => processTree(root));
    for (const pid of tree) {
      const ms = cpuMsOf(pid);
      if (ms === null) continue;
      if (!first.has(pid)) first.set(pid, roots.includes(pid) ? ms : 0);
      last.set(pid, ms);
    }
    const memory = memoryOf(tree);
    samples.push({ atEpochMs: Date.now(), rss: memory.rss, cpuMs: cpuMs() });
    peakAnonymous = Math.max(peakAnonymous, memory.anonymous);
  };
  sample();
  const timer = setInterval(sample, SAMPLE_MS);
  const alive = () => [...last.keys()].filter(isAlive);
  return {
    alive,
    stop: () => {
      clearInterval(timer);
      sample();
      killAll(alive().filter((pid) => !roots.includes(pid)));
      const peakRss = samples.reduce((most, { rss }) => Math.max(most, rss), 0);
      return { peakRss, peakAnonymous, cpuMs: cpuMs(), samples };
    },
  };
}
