import { defineTask } from "weir-run";

/** The task `digest`: the SHA-256 of each item. Calls nobody, so that it runs anywhere; each item takes a permit all the same. */
export const digest = defineTask({
  async run(item, context) {
    const bytes = new TextEncoder().encode(String(item));
    const hash = await context.call(() => crypto.subtle.digest("SHA-256", bytes));
    return { kind: "ok", value: Array.from(new Uint8Array(hash), hex).join("") };
  },
});

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}
