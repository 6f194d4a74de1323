/**
 * The task `trap`: calls its URL, and then does what its item says: `loop` never yields, `memory` takes all there
 * is, `throw` throws, some return what is not JSON or not an outcome, `say` speaks; every other item is ordinary. A
 * spec whose URL ends in `/hang` is never checked to its end.
 * Registered in copies of the project only (`ownWeir.ts`).
 */
import { z } from "zod";
import { drain } from "../../src/tasks/answer/answer.ts";
import { outcomeOfStatus } from "../../src/tasks/http/httpAnswer.ts";
import type { Task } from "../../src/tasks/task.ts";

export const trapSchema = z.strictObject({ kind: z.literal("trap"), url: z.url() });
type TrapSettings = z.infer<typeof trapSchema>;

export const trapTask: Task<TrapSettings> = {
  kind: "trap",
  check({ url }) {
    while (url.endsWith("/hang")) if (Date.now() < 0) break;
    return null;
  },
  urls: ({ url }) => [url],
  secrets: () => [],
  preview: ({ url }, item) => ({ method: "GET", url: url + item, headers: {}, body: null }),
  open: async () => undefined,
  close: async () => {},
  async run(item, context, { url }) {
    const request = { url: [`${url}${item}`], method: "GET", headers: {}, body: null, timeoutMs: 10_000 };
    const answer = await context.fetch(request);
    if (!answer.ok) return outcomeOfStatus(answer, context.mask, Date.now());
    await drain(answer);
    spring(String(item));
    const odd = ODD[String(item)];
    return odd === undefined ? { kind: "ok", value: null, status: answer.status } : odd();
  },
};

/** What types would forbid, and JavaScript does not. */
const ODD: Readonly<Record<string, () => never>> = {
  bigint: () => ({ kind: "ok", value: { id: 7n } }) as never,
  cycle: () => ({ kind: "ok", value: CYCLE }) as never,
  map: () => ({ kind: "ok", value: new Map([["a", 1]]) }) as never,
  function: () => ({ kind: "ok", value: () => 1 }) as never,
  nothing: () => undefined as never,
  date: () => ({ kind: "ok", value: new Date(0) }) as never,
};
const CYCLE: { self?: unknown } = {};
CYCLE.self = CYCLE;

function spring(item: string): void {
  const kept: number[][] = [];
  if (item === "say") {
    console.log("%s is the item, and \u001b[31mthis is not red", item, { a: 1 });
    console.error("it may be wrong");
  }
  if (item === "throw") throw new Error("a trap");
  while (item === "loop") if (Date.now() < 0) break;
  while (item === "memory") kept.push(new Array(2_000_000).fill(0.5));
}
