/**
 * robots.txt (RFC 9309): whether a page may be called, and how far apart calls to its host should be.
 *
 * It is fetched once a host and run and kept by the isolate, within bounds. Its fetch takes permits like any other
 * request. An answer of 4xx means that everything is allowed; one that cannot be had (5xx, no connection) means that
 * nothing is, for now: the item is tried again later. What is kept is plain text and rules, never a promise: an
 * isolate's events must not wait for each other.
 */
import {
  CRAWL_DELAY_MAX_MS,
  ROBOTS_BYTES,
  ROBOTS_CHARS_KEPT,
  ROBOTS_HOSTS_KEPT,
  ROBOTS_KEPT_MS,
  ROBOTS_REDIRECTS,
} from "../../core/limits.ts";
import { drain, readStart } from "../answer/answer.ts";
import { outcomeOfStatus } from "../http/httpAnswer.ts";
import { isRedirect, redirected } from "../http/redirect.ts";
import {
  CallFailed,
  CallTimedOut,
  type OutgoingRequest,
  type TaskContext,
  type TaskOutcome,
} from "../task.ts";
import { groupOf } from "./robotsRules.ts";

/** What one host says to one user agent. */
export interface Robots {
  allows(url: string): boolean;
  /** 0 when it asks for none. */
  readonly crawlDelayMs: number;
}

export type RobotsAnswer =
  | { readonly kind: "robots"; readonly robots: Robots }
  /** Not to be had now: the outcome of the item's try. */
  | { readonly kind: "failed"; readonly outcome: TaskOutcome };

interface Kept {
  readonly robots: Robots;
  readonly chars: number;
  readonly atMs: number;
}

/** What the robots.txt of the hosts say, by run, user agent and origin; the longest unused go first. */
export class RobotsCache {
  readonly #kept = new Map<string, Kept>();
  #chars = 0;

  get(key: string, nowMs: number): Robots | null {
    const found = this.#kept.get(key);
    if (found === undefined) return null;
    this.#drop(key, found);
    if (nowMs - found.atMs > ROBOTS_KEPT_MS) return null;
    this.#put(key, found);
    return found.robots;
  }

  set(key: string, entry: Kept): void {
    const before = this.#kept.get(key);
    if (before !== undefined) this.#drop(key, before);
    this.#put(key, entry);
    for (const [oldest, kept] of this.#kept) {
      if (this.#kept.size <= ROBOTS_HOSTS_KEPT && this.#chars <= ROBOTS_CHARS_KEPT) break;
      this.#drop(oldest, kept);
    }
  }

  #put(key: string, entry: Kept): void {
    this.#kept.set(key, entry);
    this.#chars += entry.chars;
  }

  #drop(key: string, entry: Kept): void {
    this.#kept.delete(key);
    this.#chars -= entry.chars;
  }
}

/** What `text` says to `userAgent` about the pages of `origin`. */
export function parseRobots(origin: string, text: string, userAgent: string): Robots {
  const group = groupOf(text, productOf(userAgent));
  const delayMs = (group.crawlDelayS ?? 0) * 1000;
  return {
    allows(page) {
      const url = URL.parse(page);
      // It says nothing about other places.
      return url === null || url.origin !== origin || group.allows(url.pathname + url.search);
    },
    crawlDelayMs: Math.min(Math.max(0, delayMs), CRAWL_DELAY_MAX_MS),
  };
}

/** The name that robots.txt groups are for: "weir" of "Weir/0.1", "mybot" of "Mozilla/5.0 (compatible; MyBot/2)". */
export function productOf(userAgent: string): string {
  const named = /\bcompatible;\s*([\w-]+)/i.exec(userAgent)?.[1] ?? /^[\w-]+/.exec(userAgent.trim())?.[0];
  return (named ?? "*").toLowerCase();
}

export interface How {
  readonly userAgent: string;
  readonly timeoutMs: number;
  /** Its permits are for the host. */
  readonly isForHost: boolean;
}

/** Asks `origin` for its robots.txt. What is not an outcome passes through. */
export async function fetchRobots(
  origin: string,
  context: TaskContext,
  how: How,
): Promise<RobotsAnswer & { readonly chars?: number }> {
  try {
    return await follow(origin, context, how);
  } catch (fault) {
    if (!(fault instanceof CallFailed || fault instanceof CallTimedOut)) throw fault;
    const errorKind = fault instanceof CallTimedOut ? "timeout" : "network";
    return failed({ kind: "transient", errorKind, message: fault.message, retryAfterMs: null });
  }
}

async function follow(
  origin: string,
  context: TaskContext,
  { userAgent, timeoutMs, isForHost }: How,
): Promise<RobotsAnswer & { readonly chars?: number }> {
  let request: OutgoingRequest = {
    url: [`${origin}/robots.txt`],
    method: "GET",
    headers: { "user-agent": [userAgent], accept: ["text/plain, */*;q=0.5"] },
    body: null,
    timeoutMs,
    ...(isForHost && { spacingMs: 0 }),
  };
  for (let hops = 0; ; hops++) {
    const response = await context.fetch(request);
    if (isRedirect(response) && hops < ROBOTS_REDIRECTS) {
      await drain(response);
      request = redirected(request, response);
      continue;
    }
    if (response.status >= 500 || response.status === 429)
      return failed(await outcomeOfStatus(response, context.mask, Date.now()));
    if (!response.ok) {
      await drain(response);
      return { kind: "robots", robots: parseRobots(origin, "", userAgent) };
    }
    const text = await readStart(response, ROBOTS_BYTES);
    return { kind: "robots", robots: parseRobots(origin, text, userAgent), chars: text.length };
  }
}

function failed(outcome: TaskOutcome): RobotsAnswer {
  if (outcome.kind === "ok") throw new Error("a robots.txt that was read has not failed");
  const message = `robots.txt cannot be read (${outcome.message}), so no page of the host is called`;
  return { kind: "failed", outcome: { ...outcome, message } };
}
