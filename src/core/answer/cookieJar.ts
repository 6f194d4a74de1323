/**
 * Cookies that the hops of one item's redirects set, for its later hops: pages that send a visitor back to themselves
 * until the cookie comes along. A jar lives as long as one try; nothing of it is stored.
 *
 * Of RFC 6265 it keeps host (or `Domain`, where the host lies in it), path, `Secure` and removal by `Max-Age`; it is too
 * short-lived for expiry.
 */

/** The parts of a URL that decide. */
export interface Place {
  readonly protocol: string;
  readonly hostname: string;
  readonly pathname: string;
}

interface Cookie {
  readonly name: string;
  readonly value: string;
  /** The host alone, or with `isWide` what lies below it too. */
  readonly domain: string;
  readonly isWide: boolean;
  readonly path: string;
  readonly isSecure: boolean;
}

/** A site sets a handful; what headers carry is visible ASCII. */
const COOKIES_MOST = 50;
const COOKIE_CHARS = 4096;
const SENDABLE = /^[\u0020-\u003a\u003c-\u007e]*$/;

export class CookieJar {
  #cookies: Cookie[] = [];

  /** Takes in the `Set-Cookie` headers of an answer of `from`. */
  take(from: Place, headers: readonly string[]): void {
    for (const header of headers) {
      const [pair = "", ...attributes] = header.slice(0, COOKIE_CHARS).split(";");
      const at = pair.indexOf("=");
      const [name, value] = [pair.slice(0, Math.max(0, at)).trim(), pair.slice(at + 1).trim()];
      if (name === "" || !SENDABLE.test(name + value)) continue;
      const said = new Map(attributes.map(attributeOf));
      const cookie = cookieOf({ name, value }, said, from);
      if (cookie === null) continue;
      this.#cookies = this.#cookies.filter((other) => !isSame(other, cookie));
      const isRemoved = /^-?\d+$/.test(said.get("max-age") ?? "") && Number(said.get("max-age")) <= 0;
      if (!isRemoved && this.#cookies.length < COOKIES_MOST) this.#cookies.push(cookie);
    }
  }

  /** What a request to `to` carries: "a=1; b=2"; null: nothing. */
  header(to: Place): string | null {
    const fitting = this.#cookies.filter((cookie) => isFor(cookie, to));
    return fitting.length === 0 ? null : fitting.map(({ name, value }) => `${name}=${value}`).join("; ");
  }
}

function attributeOf(text: string): readonly [string, string] {
  const [name = "", ...value] = text.split("=");
  return [name.trim().toLowerCase(), value.join("=").trim()];
}

/** Null: the host may not set it. */
function cookieOf(
  pair: Pick<Cookie, "name" | "value">,
  said: ReadonlyMap<string, string>,
  from: Place,
): Cookie | null {
  const wide = (said.get("domain") ?? "").replace(/^\./, "").toLowerCase();
  const isWide = wide !== "" && wide !== from.hostname;
  if (isWide && !(wide.includes(".") && from.hostname.endsWith(`.${wide}`))) return null;
  const path = said.get("path") ?? "";
  return {
    ...pair,
    domain: isWide ? wide : from.hostname,
    isWide,
    path: path.startsWith("/") ? path : from.pathname.slice(0, from.pathname.lastIndexOf("/")) || "/",
    isSecure: said.has("secure"),
  };
}

function isSame(a: Cookie, b: Cookie): boolean {
  return a.name === b.name && a.domain === b.domain && a.path === b.path;
}

function isFor({ domain, isWide, path, isSecure }: Cookie, to: Place): boolean {
  if (isSecure && to.protocol !== "https:" && to.hostname !== "localhost") return false;
  if (to.hostname !== domain && !(isWide && to.hostname.endsWith(`.${domain}`))) return false;
  const below = path.endsWith("/") ? path : `${path}/`;
  return to.pathname === path || to.pathname.startsWith(below);
}
