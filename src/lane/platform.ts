/** The lanes' ports on the platform: R2, D1, the sources, the tasks and their way out. */
import { assert } from "../core/assert.ts";
import type { RunSettings } from "../core/protocol.ts";
import type { Env } from "../objects/env.ts";
import { sourceRegistry } from "../sources/registry.ts";
import { SourceError } from "../sources/source.ts";
import { indexPart } from "../storage/index/failures.ts";
import { readPart, sha256Hex, writePart } from "../storage/rows/parts.ts";
import { createEgress, type Egress } from "../tasks/calls/egress.ts";
import { closeInTime, openInTime } from "../tasks/calls/patience.ts";
import { lookBy } from "../tasks/calls/reach.ts";
import type { Fetch } from "../tasks/calls/sentCall.ts";
import { taskOf } from "../tasks/registry.ts";
import type { CountOperation, LanePorts, OpenTask } from "./ports.ts";

/** Ports for one invocation; `count` is told of every operation that costs money. */
export function platformPorts(env: Env, count: CountOperation): LanePorts {
  const egressOf = egressPerSettings(env);
  return {
    hash: sha256Hex,
    writePart: (key, bytes) => writePart(env.BUCKET, key, bytes, count),
    readPart: (key) => readPart(env.BUCKET, key, count),
    async indexPart(settings, part, rows) {
      await indexPart(env, settings, part, rows, count);
    },
    read(settings, chunk, from) {
      const { itemSource, root } = settings;
      const source = sourceRegistry[itemSource.kind];
      if (source === undefined)
        throw new SourceError("kind", `there is no source of kind ${itemSource.kind}`);
      return source.read(itemSource, chunk, from, { env, run: root, count });
    },
    openTask: (settings) => openTask(env, settings, egressOf(settings)),
  };
}

async function openTask(env: Env, settings: RunSettings, egress: Egress): Promise<OpenTask> {
  const task = taskOf(settings.spec.task.kind);
  assert(task !== null, "a checked spec names a task that is there");
  const isOwn = task.isWeirs !== true;
  const opening = task.open(settings.spec.task, { runId: settings.run, env });
  const client = isOwn ? await openInTime(task.kind, opening) : await opening;
  const most = task.batch?.(settings.spec.task) ?? 1;
  return {
    run: (input) => egress.run({ ...input, task, client }),
    ...(most > 1 ? { batch: { most, run: (input) => egress.runBatch({ ...input, task, client }) } } : {}),
    mask: (text) => egress.mask(text),
    close: () => (isOwn ? closeInTime(task.close(client)) : task.close(client)),
  };
}

/** One way out per version of the settings: it holds the secrets' mask. */
function egressPerSettings(env: Env): (settings: RunSettings) => Egress {
  let made: { readonly version: number; readonly egress: Egress } | null = null;
  return (settings) => {
    if (made?.version !== settings.version) {
      const { BROWSER: browser, NETWORK: network, REACH: reach } = env;
      const way: Fetch | undefined =
        network === undefined ? undefined : (url, init) => network.fetch(url, init);
      const look = reach === undefined ? undefined : lookBy(reach);
      made = { version: settings.version, egress: createEgress({ env, settings, browser, way, look }) };
    }
    return made.egress;
  };
}
