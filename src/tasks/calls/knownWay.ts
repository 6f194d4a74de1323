/**
 * What an invocation knows of the way to its targets: which lost connections may have been used before, and
 * that "localhost" is reached at [::1] alone, where servers for developers listen.
 */
import { OpenConnections } from "../../core/answer/openConnections.ts";
import type { ResolvedRequest } from "./gate.ts";

const LOCALHOST = /^http:\/\/localhost(?=[:/])/;
/** What has arrived is seen by then. */
const ANSWERS_SEEN_MS = 100;
/** Ports of this machine that are remembered. */
const PORTS_MOST = 100;

/** Of the isolate: all its invocations share the runtime's connections. */
const openConnections = new OpenConnections();

export class KnownWay {
  /** Origins at "localhost" that only [::1] serves. */
  readonly #elsewhere = new Set<string>();

  /** The request as it goes out now. */
  directed(request: ResolvedRequest): ResolvedRequest {
    if (this.#elsewhere.size === 0 || !this.#elsewhere.has(originOf(request.url))) return request;
    return { ...request, url: request.url.replace(LOCALHOST, "http://[::1]") };
  }

  /** A call's connection ended without an answer. True: another call may have had it before. */
  async wasReused(url: string): Promise<boolean> {
    const origin = originOf(url);
    if (openConnections.lose(origin, Date.now())) return true;
    // The runtime gives a connection on before the script sees the answer that came on it.
    await new Promise((resolve) => setTimeout(resolve, ANSWERS_SEEN_MS));
    return openConnections.lose(origin, Date.now());
  }

  answered(url: string): void {
    openConnections.leave(originOf(url), Date.now());
  }

  /** The host is reached at [::1] alone. True: from now on it is called there. */
  isElsewhere(url: string): boolean {
    if (!LOCALHOST.test(url)) return false;
    if (this.#elsewhere.size >= PORTS_MOST) this.#elsewhere.clear();
    this.#elsewhere.add(originOf(url));
    return true;
  }
}

/** Scheme and authority; the URL was checked before. */
function originOf(url: string): string {
  const end = url.slice("https://".length).search(/[/?#]/);
  return end < 0 ? url : url.slice(0, end + "https://".length);
}
