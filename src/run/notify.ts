/**
 * Sends the notice of a run's end: the run's JSON without its spec, signed.
 * Signed under the secret `WEBHOOK`, with HMAC-SHA256 as `sha256=<hex>`: `x-weir-signature-v2` signs
 * `<x-weir-timestamp>.<body>`, so that a receiver can refuse what is old, and `x-weir-signature` the body alone, for
 * receivers that know nothing of the time. The time is that of the try, in seconds since 1970.
 * No redirect is followed: the body goes to the address in the spec or nowhere.
 */
import type { NoticeResult } from "../core/run/notice.ts";
import type { RunView } from "../core/run/runView.ts";
import type { Env } from "../objects/env.ts";
import { NOTICE_SECRET, secretValue } from "../tasks/secrets.ts";

/** A receiver that takes longer has not received it. */
const TIMEOUT_MS = 10_000;

/** One try; never rejects. */
export async function sendNotice(env: Env, url: string, view: RunView): Promise<NoticeResult> {
  const secret = secretValue(env, NOTICE_SECRET);
  if (secret === null) return { kind: "failed", status: null, message: `secret ${NOTICE_SECRET} is missing` };
  const { spec: _, ...shown } = view;
  const body = JSON.stringify(shown);
  const timestamp = String(Math.floor(Date.now() / 1000));
  try {
    const answer = await fetch(url, {
      method: "POST",
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: {
        "content-type": "application/json",
        "x-weir-run": view.id,
        "x-weir-signature": `sha256=${await signature(secret, body)}`,
        "x-weir-timestamp": timestamp,
        "x-weir-signature-v2": `sha256=${await signature(secret, `${timestamp}.${body}`)}`,
      },
    });
    await answer.body?.cancel();
    const { status } = answer;
    if (answer.ok) return { kind: "delivered", status };
    return { kind: "failed", status, message: `answered ${status}` };
  } catch (fault) {
    const message = fault instanceof Error ? fault.message : String(fault);
    return { kind: "failed", status: null, message: message.slice(0, 200) };
  }
}

async function signature(secret: string, body: string): Promise<string> {
  const text = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", text.encode(secret), algorithm, false, ["sign"]);
  const signed = new Uint8Array(await crypto.subtle.sign("HMAC", key, text.encode(body)));
  return Array.from(signed, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
