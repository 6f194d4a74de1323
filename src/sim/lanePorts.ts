/** The ports of the lanes of one simulated process: items that are numbers, parts in memory, calls to the target. */
import type { ChunkPlan } from "../core/protocol.ts";
import type { LanePorts } from "../lane/ports.ts";
import type { Item } from "../sources/source.ts";
import type { Calls } from "./calls.ts";
import type { Process } from "./process.ts";
import { fingerprint, type Storage } from "./storage.ts";

export function lanePorts(process: Process, storage: Storage, calls: Calls): LanePorts {
  return {
    hash: async (bytes) => fingerprint(bytes),
    writePart: async (key, bytes) => ({ kind: await storage.write(process, key, bytes) }),
    readPart: (key) => storage.read(process, key),
    indexPart: () => storage.index(process),
    read: (_settings, chunk, from) => read(chunk, from.ordinal, () => storage.touch(process)),
    openTask: async ({ spec }) => calls.open(spec),
  };
}

async function* read(chunk: ChunkPlan, from: number, open: () => Promise<void>): AsyncGenerator<Item> {
  await open();
  for (let ordinal = from; ordinal < chunk.count; ordinal++) {
    const index = chunk.indexes?.[ordinal] ?? chunk.first + ordinal;
    yield { index, ordinal, position: index, value: index };
  }
}
