/**
 * The queue consumer: a message is an offer, and the Run decides what comes of it.
 *
 * Invariants: every message is acked and nothing is ever thrown to the platform (locally a throw redelivers even
 * what was acked); pacing and continuation never use the queue's retry. Whatever goes wrong here costs time: the
 * Run repeats its offers.
 */

import { indexRun } from "../background/indexer.ts";
import { planRun } from "../background/planner.ts";
import {
  CHUNK_QUEUES,
  SLICE_FIRST_MS,
  SLICE_LOCAL_MS,
  SLICE_MAX_MS,
  SLICES_LOCAL_MOST,
} from "../core/limits.ts";
import type { QueueMessage } from "../core/protocol.ts";
import type { Env } from "../objects/env.ts";
import { runById } from "../objects/runStub.ts";
import { invocationLanes, laneQueue } from "../run/queues.ts";
import { messageOf } from "../tasks/faults.ts";
import { systemClock } from "./clock.ts";
import { Invocation } from "./invocation.ts";
import { warnUnmarked } from "./items/taskConsole.ts";
import { platformPorts } from "./platform.ts";
import { Tally } from "./report.ts";

/** Works a batch of offers, one after another. Never rejects. */
export async function consume(batch: MessageBatch<QueueMessage>, env: Env): Promise<void> {
  for (const message of batch.messages) {
    const offer: unknown = message.body;
    try {
      if (isOffer(offer)) await take(env, offer, queueIndex(batch.queue));
      else warnUnmarked(`queue ${batch.queue}: not an offer, dropped`);
    } catch (fault) {
      warnUnmarked(`queue ${batch.queue}: ${messageOf(fault)}`);
    }
    message.ack();
  }
}

const KINDS: readonly unknown[] = ["work", "plan", "index", "finish"] satisfies QueueMessage["kind"][];
const MAX_RUN_CHARS = 64;

/** Whoever may write to the queue, another version of the Worker too, may have put anything into it. */
function isOffer(body: unknown): body is QueueMessage {
  const { v, kind, run } = (body ?? {}) as Readonly<Record<string, unknown>>;
  return (
    v === 1 && KINDS.includes(kind) && typeof run === "string" && run !== "" && run.length <= MAX_RUN_CHARS
  );
}

async function take(env: Env, offer: QueueMessage, queue: number): Promise<void> {
  switch (offer.kind) {
    case "work":
      return workSlice(env, offer.run, queue);
    case "plan":
      return planRun(env, offer.run);
    case "index":
      return indexRun(env, offer.run);
    case "finish": {
      // Loaded at the end of a run: while calls are made nothing of it is in their heap.
      const { finishRun } = await import("../background/finalizer.ts");
      return finishRun(env, offer.run, { untilMs: Date.now() + SLICE_MAX_MS });
    }
    default:
      offer satisfies never;
  }
}

async function workSlice(env: Env, run: string, queue: number): Promise<void> {
  const generation = env.WEIR_GENERATION ?? "";
  const tally = new Tally();
  const invocation = new Invocation({
    clock: systemClock,
    // A stub is dead after many faults: each request gets a fresh one.
    sync: (request) => runById(env, run).sync(request),
    ports: platformPorts(env, (operation, n) => tally.count(operation, n)),
    id: crypto.randomUUID(),
    queue,
    generation,
    lanes: (maxParallelism) => invocationLanes(env, maxParallelism),
    sliceMs: sliceMs(run, generation, queue),
    mayStay: generation === "" ? isNever : staysWhileAlone(env, queue),
    tally,
  });
  await invocation.run();
}

/** Locally a queue that nobody waits for can be kept: handing over costs every lane a part. */
function staysWhileAlone(env: Env, queue: number): () => Promise<boolean> {
  let slices = 1;
  return async () => {
    slices += 1;
    if (slices > SLICES_LOCAL_MOST) return false;
    const { backlogCount } = await laneQueue(env, queue).metrics();
    return backlogCount === 0;
  };
}

const isNever = async (): Promise<boolean> => false;

/** Slices of the runs that this isolate works on: a hint, forgotten with the isolate. */
const slices = new Map<string, number>();
const SLICES_KEPT = 100;

/**
 * Locally short, so that runs share the queues, and longer from queue to queue, so that not all of them end at once.
 * Deployed short at first (the autoscaler decides only when a batch ends), then doubling.
 */
function sliceMs(run: string, generation: string, queue: number): number {
  if (generation !== "") return SLICE_LOCAL_MS * (1 + queue / CHUNK_QUEUES);
  const ms = slices.get(run) ?? SLICE_FIRST_MS;
  if (slices.size >= SLICES_KEPT) slices.clear();
  slices.set(run, Math.min(SLICE_MAX_MS, 2 * ms));
  return ms * (0.75 + Math.random() / 4);
}

/** `weir-lanes-2` is 2. */
function queueIndex(name: string): number {
  return Number(/(\d+)$/.exec(name)?.[1] ?? 0);
}
