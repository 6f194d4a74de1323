/**
 * Who may ask: a bearer token on everything that carries data, and, on a machine of one's own, only pages and
 * tools of that machine.
 *
 * The token is compared by its SHA-256 in constant time and never read from a query string. Without a token of
 * `MIN_TOKEN_CHARS` a deployed Weir is closed: 503 on everything but /healthz. No CORS header is ever sent.
 */
import type { Context, Next } from "hono";
import { MIN_TOKEN_CHARS } from "../core/limits.ts";
import { Refusal } from "../runs/refusal.ts";
import type { ApiEnv } from "./context.ts";

/** Paths without data: pages, and the description of the API. */
const PUBLIC_PATHS: ReadonlySet<string> = new Set(["/", "/docs", "/openapi.json", "/spec.schema.json"]);
const LOOPBACK_NAMES: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Lets a request pass, or refuses it: `invalid`, `forbidden`, `unavailable`, `unauthorized`. */
export async function authorise(c: Context<ApiEnv>, next: Next): Promise<void> {
  const url = URL.parse(c.req.url);
  if (url === null)
    throw new Refusal("invalid", "the request's path or its Host header is not a valid address");
  if (isEmbedded(c)) refuseForeign(url, c.req.header("origin"));
  if (url.pathname !== "/healthz") {
    const token = c.env.WEIR_TOKEN ?? "";
    if (token.length < MIN_TOKEN_CHARS) {
      throw new Refusal(
        "unavailable",
        `this Weir is closed: set the secret WEIR_TOKEN to ${MIN_TOKEN_CHARS} characters or more`,
      );
    }
    if (!PUBLIC_PATHS.has(url.pathname))
      await requireToken(c.req.header("authorization"), token, isEmbedded(c));
  }
  await next();
}

/** On a machine of one's own, as the command runs it. */
function isEmbedded(c: Context<ApiEnv>): boolean {
  return c.env.WEIR_GENERATION !== undefined;
}

/** A page of another site must not reach the embedded server, not even by a name that resolves to loopback. */
function refuseForeign(url: URL, origin: string | undefined): void {
  if (!LOOPBACK_NAMES.has(url.hostname)) {
    throw new Refusal(
      "forbidden",
      "foreign Host: this server answers only to localhost, 127.0.0.1 and [::1]",
    );
  }
  if (origin !== undefined && !isOwnOrigin(origin, url)) {
    throw new Refusal("forbidden", "foreign Origin: this server answers only its own pages");
  }
}

function isOwnOrigin(origin: string, url: URL): boolean {
  if (!URL.canParse(origin)) return false;
  const from = new URL(origin);
  return LOOPBACK_NAMES.has(from.hostname) && from.port === url.port;
}

/** Throws a Refusal unless the header `Authorization` carries the token. */
export async function requireToken(
  header: string | undefined,
  token: string,
  isEmbedded = false,
): Promise<void> {
  const given = /^Bearer ([^\s]+)$/i.exec(header ?? "")?.[1];
  if (given === undefined) {
    const where = isEmbedded ? "; weir dev prints a curl line with it when it starts" : "";
    throw new Refusal("unauthorized", `a bearer token is needed: Authorization: Bearer <WEIR_TOKEN>${where}`);
  }
  if (!(await isSameText(given, token)))
    throw new Refusal("unauthorized", "the bearer token is not the right one");
}

/** Equal-length digests: neither the place of a difference nor the token's length shows in the time taken. */
async function isSameText(a: string, b: string): Promise<boolean> {
  const encoder = new TextEncoder();
  const [digestA, digestB] = await Promise.all([
    crypto.subtle.digest("SHA-256", encoder.encode(a)),
    crypto.subtle.digest("SHA-256", encoder.encode(b)),
  ]);
  return crypto.subtle.timingSafeEqual(digestA, digestB);
}
