/**
 * An S3-compatible store in this process, on 127.0.0.1: ListObjectsV2 and GetObject, path-style, with the checks that
 * a real one makes. Signatures are computed here from the specification (AWS Signature Version 4), not by the library
 * that the product uses.
 */
import { createHash, createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface S3Options {
  readonly bucket?: string;
  readonly region?: string;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  /** Keys in one page of a listing, at most. */
  readonly pageKeys?: number;
  /** A free one when left out. */
  readonly port?: number;
}

export class S3Double {
  readonly objects = new Map<string, Uint8Array>();
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Keys that were read, in order. */
  readonly reads: string[] = [];
  lists = 0;
  /** Answers instead of the store's own; null lets a request pass. */
  fault: (request: { readonly key: string | null; readonly nth: number }) => number | null = () => null;
  readonly #region: string;
  readonly #pageKeys: number;
  readonly #port: number;
  readonly #server: Server;
  #requests = 0;

  constructor(options: S3Options = {}) {
    this.bucket = options.bucket ?? "exports";
    this.accessKeyId = options.accessKeyId ?? "WEIRTESTACCESSKEY";
    this.secretAccessKey = options.secretAccessKey ?? "weir/test+secret/access/key";
    this.#region = options.region ?? "auto";
    this.#pageKeys = options.pageKeys ?? 1000;
    this.#port = options.port ?? 0;
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, "127.0.0.1", resolve));
    return this;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What stands in a spec. */
  get store() {
    return {
      endpoint: this.endpoint,
      bucket: this.bucket,
      accessKeyId: "S3_KEY",
      secretAccessKey: "S3_SECRET",
    };
  }

  /** The environment of a command that uses it. */
  get secrets(): Record<string, string> {
    return { WEIR_SECRET_S3_KEY: this.accessKeyId, WEIR_SECRET_S3_SECRET: this.secretAccessKey };
  }

  put(key: string, content: string | Uint8Array): void {
    this.objects.set(key, typeof content === "string" ? new TextEncoder().encode(content) : content);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", this.endpoint);
    const [, bucket, ...rest] = url.pathname.split("/");
    const key = rest.length === 0 ? null : decodeURIComponent(rest.join("/"));
    const fault = this.fault({ key, nth: ++this.#requests });
    const object = key === null ? undefined : this.objects.get(key);
    if (fault !== null) refuse(response, fault, fault === 503 ? "SlowDown" : "InternalError");
    else if (!this.#isSigned(request, url)) refuse(response, 403, "SignatureDoesNotMatch");
    else if (bucket !== this.bucket) refuse(response, 404, "NoSuchBucket");
    else if (key === null) this.#list(url.searchParams, response);
    else if (object === undefined) refuse(response, 404, "NoSuchKey");
    else this.#send(key, object, response);
  }

  #send(key: string, object: Uint8Array, response: ServerResponse): void {
    this.reads.push(key);
    response.writeHead(200, { "content-length": object.byteLength, etag: etagOf(object) }).end(object);
  }

  #list(query: URLSearchParams, response: ServerResponse): void {
    this.lists += 1;
    const prefix = query.get("prefix") ?? "";
    const after = query.get("start-after") ?? "";
    const most = Math.min(Number(query.get("max-keys") ?? 1000), this.#pageKeys);
    const keys = [...this.objects.keys()]
      .filter((key) => key.startsWith(prefix) && (after === "" || compareBytes(key, after) > 0))
      .sort(compareBytes);
    const contents = keys.slice(0, most).map((key) => {
      const object = this.objects.get(key) ?? new Uint8Array();
      const name = encodeURIComponent(key).replaceAll("%2F", "/").replaceAll("%20", "+");
      return `<Contents><Key>${name}</Key><LastModified>2026-11-21T12:00:00.000Z</LastModified><ETag>&quot;${etagOf(object).slice(1, -1)}&quot;</ETag><Size>${object.byteLength}</Size></Contents>`;
    });
    response
      .writeHead(200, { "content-type": "application/xml" })
      .end(
        `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>${this.bucket}</Name><EncodingType>url</EncodingType><IsTruncated>${keys.length > most}</IsTruncated>${contents.join("")}</ListBucketResult>`,
      );
  }

  /** AWS Signature Version 4 in the authorization header. */
  #isSigned(request: IncomingMessage, url: URL): boolean {
    const given =
      /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
        request.headers.authorization ?? "",
      );
    if (given === null) return false;
    const [, accessKey, day = "", region, signed = "", signature] = given;
    const date = String(request.headers["x-amz-date"] ?? "");
    if (accessKey !== this.accessKeyId || region !== this.#region || !date.startsWith(day)) return false;
    const names = signed.split(";");
    if (!names.includes("host")) return false;
    const headers = names.map((name) => `${name}:${String(request.headers[name] ?? "").trim()}\n`).join("");
    const query = [...url.searchParams]
      .map(([name, value]) => `${encode(name)}=${encode(value)}`)
      .sort()
      .join("&");
    const hash = String(request.headers["x-amz-content-sha256"] ?? "");
    const canonical = [request.method, url.pathname, query, headers, signed, hash].join("\n");
    const scope = `${day}/${region}/s3/aws4_request`;
    const text = ["AWS4-HMAC-SHA256", date, scope, createHash("sha256").update(canonical).digest("hex")].join(
      "\n",
    );
    let key: string | Buffer = `AWS4${this.secretAccessKey}`;
    for (const step of [day, region, "s3", "aws4_request"]) key = hmac(key, step ?? "");
    return hmac(key, text).toString("hex") === signature;
  }
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function etagOf(object: Uint8Array): string {
  return `"${createHash("md5").update(object).digest("hex")}"`;
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function refuse(response: ServerResponse, status: number, code: string): void {
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>not for logs</Message></Error>`;
  response.writeHead(status, { "content-type": "application/xml" }).end(body);
}
