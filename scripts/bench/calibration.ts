/**
 * Is the machine quiet enough to say anything about a sender? A bare paced sender, one call at each instant and nothing
 * else, must look even at the target: where it does not, the machine makes bursts, and every figure is void. And is its disk quick
 * enough: a slow one stops workerd's calls.
 */
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { neededBurst } from "../../test/support/neededBurst.ts";
import { spawnTarget } from "../../test/support/spawnTarget.ts";
import { type Journal, median } from "./journal.ts";
import { sleep } from "./measuredRun.ts";

const PER_SECOND = 1000;
const SECONDS = 5;
/**
 * Seconds sent before those that count. Sender and target compile their hot paths in their first second: a cold sender
 * needed 10 to 20 in it and 3 to 9 in each later one, six of each in turns on a quiet machine.
 */
const WARM_SECONDS = 2;
/** Tries: a moment's disturbance is waited out. */
const TRIES = 3;
/**
 * A bare sender sends what a late timer held back at once, so its needed burst is the machine's lateness in
 * milliseconds.
 */
const MOST_NEEDED_BURST = 12;
const MOST_TARGET_CPU = 0.7;
const FLUSHES = 200;
const FLUSH_EVERY_MS = 10;
/** workerd flushes what it commits on the thread that makes the calls: for so long none leaves. */
const MOST_FLUSH_MS = 30;

/** False: too busy, said in the journal. */
export async function calibrate(journal: Journal): Promise<boolean> {
  const even = await isEven(journal);
  return (await isDiskQuick(journal)) && even;
}

async function isEven(journal: Journal): Promise<boolean> {
  for (let left = TRIES; left > 0; left--) {
    const seen = await pace();
    journal.say(
      "",
      `Calibration, a bare sender at ${PER_SECOND}/s for ${SECONDS} s: needed burst ${seen.neededBurst.toFixed(1)} ` +
        `(bound ${MOST_NEEDED_BURST}), target's CPU ${Math.round(100 * seen.targetCpu)} % of a core`,
    );
    if (seen.neededBurst <= MOST_NEEDED_BURST && seen.targetCpu <= MOST_TARGET_CPU) return true;
    await sleep(2000);
  }
  journal.say("", "**The machine was too busy: the figures that follow are void.**");
  return false;
}

/** How long a small commit takes where the state of measured runs lies. */
async function isDiskQuick(journal: Journal): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "weir-disk-"));
  const file = openSync(join(folder, "commits"), "w");
  const tookMs: number[] = [];
  for (let n = 0; n < FLUSHES; n++) {
    await sleep(FLUSH_EVERY_MS);
    const fromMs = performance.now();
    writeSync(file, Buffer.alloc(4096));
    fsyncSync(file);
    tookMs.push(performance.now() - fromMs);
  }
  closeSync(file);
  rmSync(folder, { recursive: true });
  const longestMs = Math.max(...tookMs);
  journal.say(
    "",
    `Calibration, 4 KB written and flushed ${FLUSHES} times in ${tmpdir()}: median ${median(tookMs).toFixed(2)} ms, ` +
      `longest ${longestMs.toFixed(1)} (bound ${MOST_FLUSH_MS})`,
  );
  if (longestMs <= MOST_FLUSH_MS) return true;
  journal.say("", "**The disk was too busy: the figures that follow are void.**");
  return false;
}

async function pace(): Promise<{ readonly neededBurst: number; readonly targetCpu: number }> {
  const target = await spawnTarget({ latencyMs: [5, 5] });
  const agent = new Agent({ keepAlive: true, maxSockets: 50 });
  try {
    const { hostname, port } = new URL(target.url);
    const call = (id: number) =>
      new Promise<void>((done) => {
        const sent = request({ hostname, port, agent, path: `/v1/users/${id}` }, (answer) =>
          answer.resume().once("end", done),
        );
        sent.once("error", () => done()).end();
      });
    await sendEvenly(call, WARM_SECONDS);
    const warm = await target.stats();
    await sendEvenly(call, SECONDS);
    const { atMs } = await target.log();
    const { cpuMs } = await target.stats();
    const counted = atMs.slice(warm.calls);
    return {
      neededBurst: neededBurst(counted, PER_SECOND),
      targetCpu: (cpuMs - warm.cpuMs) / (SECONDS * 1000),
    };
  } finally {
    agent.destroy();
    await target.close();
  }
}

/** Every call at its own instant; what is late goes at once. */
function sendEvenly(call: (id: number) => Promise<void>, seconds: number): Promise<void> {
  const startedMs = performance.now();
  const all = PER_SECOND * seconds;
  const open: Promise<void>[] = [];
  return new Promise((done) => {
    const turn = () => {
      const due = Math.min(all, ((performance.now() - startedMs) * PER_SECOND) / 1000);
      while (open.length < due) open.push(call(open.length));
      if (open.length < all) setTimeout(turn, 1);
      else void Promise.all(open).then(() => done());
    };
    turn();
  });
}
