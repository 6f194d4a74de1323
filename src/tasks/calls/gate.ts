/**
 * The gate of the way out: which request may leave, and to whom a secret in it may go.
 *
 * Invariants: a secret goes only where it may go (`secrets.ts`); an origin that the spec does not write out is public,
 * or the spec says allowPrivate.
 */
import { isPublicHost } from "../../core/publicHost.ts";
import type { SecretText } from "../../core/template/template.ts";
import { isHostForSecret, isOpenToOthers, type SecretEnv, secretValue } from "../secrets.ts";
import { writeSecret } from "../secretText.ts";
import { CallRefused, type OutgoingRequest, SecretMissing } from "../task.ts";

/** A request with its secrets in it, ready to leave. */
export interface ResolvedRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly timeoutMs: number;
}

/** Parsed URLs kept: a spec has few hosts, but items may write the same one in many ways. */
const MOST_ACCEPTED = 16;
/** A beginning after which a parser reads nothing but path, query and fragment: no blank, no further slash. */
const PLAIN_HEAD = /^https?:\/\/[^/\\?#@\s]+\/$/;

/** Decides what may leave, and puts the secrets in. */
export class Gate {
  readonly #env: SecretEnv;
  readonly #allowPrivate: boolean;
  readonly #origins = new Set<string>();
  /** Of the spec's own origins, by what a URL begins with: scheme, authority and slash. */
  readonly #accepted = new Map<string, URL>();

  constructor(env: SecretEnv, urls: readonly string[], allowPrivate: boolean) {
    this.#env = env;
    this.#allowPrivate = allowPrivate;
    for (const text of urls) {
      const url = URL.parse(text);
      if (url !== null) this.#origins.add(url.origin);
    }
  }

  /** Throws CallRefused or SecretMissing. */
  resolve(request: OutgoingRequest): ResolvedRequest {
    const used = new Set<string>();
    const text = this.#write(request.url, used, "url");
    const headers: Record<string, string> = {};
    for (const name in request.headers)
      headers[name] = this.#write(request.headers[name] ?? [], used, "header");
    const body = request.body === null ? null : this.#write(request.body, used, "body");
    const url = this.#check(text);
    for (const name of used) this.#checkSecret(name, url);
    return { url: text, method: request.method, headers, body, timeoutMs: request.timeoutMs };
  }

  #write(pieces: SecretText, used: Set<string>, place: "url" | "header" | "body"): string {
    const [only] = pieces;
    if (pieces.length === 1 && typeof only === "string") return only;
    let text = "";
    for (const piece of pieces) {
      if (typeof piece === "string") {
        text += piece;
        continue;
      }
      const value = secretValue(this.#env, piece.secret);
      if (value === null) throw new SecretMissing(piece.secret);
      used.add(piece.secret);
      text += writeSecret(value, piece, place);
    }
    return text;
  }

  /** The URL up to its path, which is all that is decided on; parsed once for each host of the spec. */
  #check(text: string): URL {
    const head = text.slice(0, text.indexOf("/", "https://".length) + 1);
    const accepted = this.#accepted.get(head);
    if (accepted !== undefined) return accepted;
    const url = this.#parsed(text);
    const isOurs = PLAIN_HEAD.test(head) && this.#origins.has(url.origin);
    if (isOurs && this.#accepted.size < MOST_ACCEPTED) this.#accepted.set(head, url);
    return url;
  }

  #parsed(text: string): URL {
    const url = URL.parse(text);
    if (url === null) throw new CallRefused("the request has no valid URL");
    if (url.protocol !== "http:" && url.protocol !== "https:") {
      throw new CallRefused(`${url.protocol} is refused; only http: and https: are called`);
    }
    if (url.username !== "" || url.password !== "")
      throw new CallRefused("a URL with credentials is refused");
    if (!this.#allowPrivate && !this.#origins.has(url.origin) && !isPublicHost(url.hostname)) {
      throw new CallRefused(`host ${url.host} is not public; "allowPrivate": true in the spec permits it`);
    }
    return url;
  }

  #checkSecret(name: string, url: URL): void {
    if (this.#origins.has(url.origin) || isHostForSecret(this.#env, name, url)) return;
    throw new CallRefused(
      isOpenToOthers(url)
        ? `secret ${name} is not for ${url.origin}: over plain http it goes only to an origin that the spec writes out`
        : `secret ${name} is not for ${url.host}; WEIR_SECRET_${name}_HOSTS names further hosts it may be sent to`,
    );
  }
}
