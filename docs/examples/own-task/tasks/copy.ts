import { defineTask, drain, outcomeOfStatus, readText } from "weir-run";

const RECORD_BYTES = 100_000;

/**
 * The task `copy`: reads each item's record from one system and writes it to another.
 * An item makes two calls; each takes its own permit, so the quota holds for both together.
 */
export const copy = defineTask({
  settings: (z) =>
    z.object({
      from: z.url({ protocol: /^https?$/ }),
      to: z.url({ protocol: /^https?$/ }),
      /** Name of the secret that both systems take as a bearer token. */
      secret: z.string().regex(/^[A-Z][A-Z0-9_]*$/),
    }),
  // What `weir plan` shows.
  request: ({ from, secret }, item) => ({ url: withId(from, item), headers: bearer(secret) }),
  async run(item, context, { from, to, secret }) {
    const headers = bearer(secret);
    const read = await context.fetch({ url: withId(from, item), headers });
    if (read.status !== 200) return outcomeOfStatus(read, context.mask, Date.now());
    const record = await readText(read, RECORD_BYTES);
    if (record.kind === "too-large") {
      const message = `the record is longer than ${RECORD_BYTES} bytes`;
      return { kind: "permanent", errorKind: "parse", message, called: true };
    }
    const body = record.text;
    const written = await context.fetch({ url: withId(to, item), method: "PUT", headers, body });
    if (!written.ok) return outcomeOfStatus(written, context.mask, Date.now());
    await drain(written);
    return { kind: "ok", value: { chars: body.length }, status: written.status };
  },
});

/** In a query, encoded as one component, no item can leave its place. */
function withId(base: string, item: unknown): string {
  return `${base}?id=${encodeURIComponent(String(item))}`;
}

/** The secret's value is put in when the request leaves: no task ever sees it. */
function bearer(secret: string) {
  return { authorization: ["Bearer ", { secret }] };
}
