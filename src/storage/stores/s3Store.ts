/**
 * A store that speaks S3: ListObjectsV2 and GetObject, path-style, signed with AWS Signature Version 4.
 *
 * Bounded: a listing answer is a page of keys; an object is streamed. No redirect is followed (the signature is for
 * one host) and no text of an error is passed on but its code: S3 repeats the access key in its messages.
 */
import { AwsClient } from "aws4fetch";
import { parseRetryAfter } from "../../core/answer/retryAfter.ts";
import { STORE_ANSWER_MS, STORE_LIST_BYTES } from "../../core/limits.ts";
import { type ObjectStore, StoreFault } from "./objectStore.ts";
import { parseListing } from "./s3Listing.ts";

export interface S3Place {
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export class S3Store implements ObjectStore {
  readonly #client: AwsClient;
  readonly #bucketUrl: string;

  constructor({ endpoint, bucket, region, accessKeyId, secretAccessKey }: S3Place) {
    this.#client = new AwsClient({ accessKeyId, secretAccessKey, region, service: "s3" });
    this.#bucketUrl = `${new URL(endpoint).origin}/${encodeURIComponent(bucket)}`;
  }

  async list({ prefix, after, limit }: Parameters<ObjectStore["list"]>[0]) {
    const query = new URLSearchParams({
      "list-type": "2",
      "encoding-type": "url",
      "max-keys": String(limit),
      prefix,
      ...(after === null ? {} : { "start-after": after }),
    });
    const response = await this.#ask(`${this.#bucketUrl}?${query}`, null);
    if (!response.ok) throw await faultOf(response, "listing the bucket");
    const page = parseListing(await boundedText(response, STORE_LIST_BYTES));
    if (page === null)
      throw new StoreFault(`${new URL(this.#bucketUrl).host} does not answer like an S3 store`, null);
    return page;
  }

  async get(key: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array> | null> {
    const path = key.split("/").map(encodeKeyPart).join("/");
    const response = await this.#ask(`${this.#bucketUrl}/${path}`, signal);
    if (response.status === 404) {
      await response.body?.cancel();
      return null;
    }
    if (!response.ok) throw await faultOf(response, "reading the object");
    return response.body ?? new Blob([]).stream();
  }

  /** The answer's head within `STORE_ANSWER_MS`; its body ends with `signal`. */
  async #ask(url: string, signal: AbortSignal | null): Promise<Response> {
    const request = await this.#client.sign(url, { method: "GET" });
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), STORE_ANSWER_MS);
    const signals = signal === null ? [late.signal] : [late.signal, signal];
    try {
      return await fetch(request, { redirect: "manual", signal: AbortSignal.any(signals) });
    } catch (fault) {
      if (signal?.aborted) throw fault;
      const message = fault instanceof Error ? fault.message : String(fault);
      throw new StoreFault(
        late.signal.aborted
          ? `the store at ${new URL(url).host} did not answer within ${STORE_ANSWER_MS} ms`
          : `the store at ${new URL(url).host} cannot be reached: ${message}`,
        null,
      );
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Every character but the unreserved ones, as the signature wants it (RFC 3986). */
function encodeKeyPart(part: string): string {
  return encodeURIComponent(part).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

async function faultOf(response: Response, doing: string): Promise<StoreFault> {
  const { status } = response;
  const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"), {
    dateHeader: response.headers.get("date"),
    nowMs: Date.now(),
  });
  const text = await boundedText(response, STORE_LIST_BYTES).catch(() => "");
  const code = /<Code>(\w{1,64})<\/Code>/.exec(text)?.[1];
  const why = code === undefined ? `${status}` : `${status} ${code}`;
  return new StoreFault(`${doing}: the store answers ${why}`, status, retryAfterMs);
}

async function boundedText(response: Response, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new StoreFault(`the store's answer is longer than ${maxBytes} bytes`, null);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
