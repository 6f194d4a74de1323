/**
 * The task `trap`: calls its URL, and then does what its item says: `loop` never yields, `memory` takes all there
 * is, `throw` throws; every other item is ordinary. Registered in copies of the project only (`ownWeir.ts`).
 */
import { z } from "zod";
import { drain } from "../../src/tasks/answer.ts";
import { outcomeOfStatus } from "../../src/tasks/httpAnswer.ts";
import type { Task } from "../../src/tasks/task.ts";

export const trapSchema = z.strictObject({ kind: z.literal("trap"), url: z.url() });
type TrapSettings = z.infer<typeof trapSchema>;

export const trapTask: Task<TrapSettings> = {
  kind: "trap",
  check: () => null,
  urls: ({ url }) => [url],
  secrets: () => [],
  preview: ({ url }, item) => ({ method: "GET", url: url + item, headers: {}, body: null }),
  open: async () => undefined,
  close: async () => {},
  async run(item, context, { url }) {
    const request = { url: [`${url}${item}`], method: "GET", headers: {}, body: null, timeoutMs: 10_000 };
    const answer = await context.fetch(request);
    if (!answer.ok) return outcomeOfStatus(answer, Date.now());
    await drain(answer);
    spring(String(item));
    return { kind: "ok", value: null, status: answer.status };
  },
};

function spring(item: string): void {
  const kept: number[][] = [];
  if (item === "throw") throw new Error("a trap");
  while (item === "loop") if (Date.now() < 0) break;
  while (item === "memory") kept.push(new Array(2_000_000).fill(0.5));
}
