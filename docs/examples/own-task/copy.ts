/**
 * The task `copy`: reads each item's record from one system and writes it to another.
 * An item makes two calls; each takes its own permit, so the quota holds for both together.
 */
import { z } from "zod";
import type { Json } from "../../../src/core/spec.ts";
import { drain, readText } from "../../../src/tasks/answer/answer.ts";
import { outcomeOfStatus } from "../../../src/tasks/http/httpAnswer.ts";
import type { OutgoingRequest, Task } from "../../../src/tasks/task.ts";

const RECORD_BYTES = 100_000;

export const copySchema = z.strictObject({
  kind: z.literal("copy"),
  from: z.url({ protocol: /^https?$/ }),
  to: z.url({ protocol: /^https?$/ }),
  /** Name of the secret that both systems take as a bearer token. */
  secret: z.string().regex(/^[A-Z][A-Z0-9_]*$/),
});
type CopySettings = z.infer<typeof copySchema>;

export const copyTask: Task<CopySettings> = {
  kind: "copy",
  check: () => null,
  urls: ({ from, to }) => [from, to],
  secrets: ({ secret }) => [secret],
  preview: ({ from, secret }, item) => ({
    method: "GET",
    url: idUrl(from, item),
    headers: { authorization: `Bearer [secret:${secret}]` },
    body: null,
  }),
  open: async () => undefined,
  close: async () => {},
  async run(item, context, settings) {
    const read = await context.fetch(request(settings, "GET", idUrl(settings.from, item), null));
    if (read.status !== 200) return outcomeOfStatus(read, context.mask, Date.now());
    const record = await readText(read, RECORD_BYTES);
    if (record.kind === "too-large") {
      const message = `the record is longer than ${RECORD_BYTES} bytes`;
      return { kind: "permanent", errorKind: "parse", message, called: true };
    }
    const written = await context.fetch(request(settings, "PUT", idUrl(settings.to, item), record.text));
    if (!written.ok) return outcomeOfStatus(written, context.mask, Date.now());
    await drain(written);
    return { kind: "ok", value: { chars: record.text.length }, status: written.status };
  },
};

/** In a query, encoded as one component, no item can leave its place. */
function idUrl(base: string, item: Json): string {
  return `${base}?id=${encodeURIComponent(String(item))}`;
}

function request({ secret }: CopySettings, method: string, url: string, body: string | null): OutgoingRequest {
  return {
    url: [url],
    method,
    headers: { authorization: ["Bearer ", { secret }] },
    body: body === null ? null : [body],
    timeoutMs: 10_000,
  };
}
