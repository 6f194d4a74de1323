/** What a queue brings is an offer or is dropped: nothing of it is thrown, everything is acked. */
import { afterEach, expect, test, vi } from "vitest";
import type { QueueMessage } from "../../src/core/protocol.ts";
import { consume } from "../../src/lane/consumer.ts";
import type { Env } from "../../src/objects/env.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** Hands over one message; says whether it was acked and what was warned of. */
async function handOver(body: unknown) {
  const warned = vi.spyOn(console, "warn").mockImplementation(() => {});
  const ack = vi.fn();
  const batch = { queue: "weir-lanes-0", messages: [{ body, ack }] };
  await consume(batch as unknown as MessageBatch<QueueMessage>, {} as Env);
  return { acked: ack.mock.calls.length, warning: String(warned.mock.calls[0]?.[0]) };
}

test.each([
  null,
  "work",
  7,
  [],
  {},
  { v: 2, kind: "work", run: "r_1" },
  { v: 1, kind: "rest", run: "r_1" },
  { v: 1, kind: "work" },
  { v: 1, kind: "work", run: 1 },
  { v: 1, kind: "work", run: "" },
  { v: 1, kind: "work", run: "r".repeat(65) },
])("%j is dropped as no offer", async (body) => {
  expect(await handOver(body)).toEqual({ acked: 1, warning: "queue weir-lanes-0: not an offer, dropped" });
});

test.each(["work", "plan", "index", "finish"])("an offer to %s is taken up", async (kind) => {
  const { acked, warning } = await handOver({ v: 1, kind, run: "r_1" });
  expect(acked).toBe(1);
  // There is no Run to ask here.
  expect(warning).not.toContain("not an offer");
});
