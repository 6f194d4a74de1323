/**
 * A language model endpoint that enforces tokens a minute: a bucket of tokens, refilled at the rate, from which each
 * call takes its input and its answer when it arrives. What is not in the bucket is refused with 429 and costs
 * nothing. Tokens are counted in its own way (four characters each), not in Weir's.
 *
 * As a process of its own: `node test/support/tokenTarget.ts '{"tokensPerMinute":60000}'` prints its address as one
 * line of JSON and ends when its standard input does. `GET /stats` tells what it saw. It listens on 127.0.0.1 only.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";

export interface TokenTargetOptions {
  readonly tokensPerMinute: number;
  /** Tokens accepted at one instant when nothing came before; default: 10 s of the rate. */
  readonly burst?: number;
  /** Answers are this long, evenly drawn; default 50 to 150. */
  readonly outputTokens?: readonly [number, number];
  /** An answer takes this long, and this much more for each of its tokens; defaults 200 and 5. */
  readonly baseMs?: number;
  readonly msPerToken?: number;
  /** Every n-th accepted call is answered with prose where JSON was asked for, each prompt once at most. */
  readonly proseEvery?: number;
  /** Says `x-ratelimit-remaining-tokens`. */
  readonly saysRemaining?: boolean;
  /** Only this `authorization` is taken. */
  readonly authorization?: string;
  readonly port?: number;
}

export interface TokenTargetStats {
  readonly calls: number;
  readonly accepted: number;
  readonly rejected: number;
  /** Tokens of accepted calls. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Input tokens of the shortest and the longest prompt. */
  readonly shortest: number;
  readonly longest: number;
  /** The smallest bucket that would have refused nothing. */
  readonly neededBurst: number;
  /** Of the last accepted call: what is taken at the end of `spanMs` is not of that time. */
  readonly lastTokens: number;
  /** Between the first and the last arrival. */
  readonly spanMs: number;
  readonly maxInFlight: number;
}

export interface TokenTarget {
  /** The base, as in `https://api.openai.com/v1`. */
  readonly url: string;
  stats(): Promise<TokenTargetStats>;
  close(): Promise<void>;
}

/** An endpoint in a process of its own. */
export async function spawnTokenTarget(options: TokenTargetOptions): Promise<TokenTarget> {
  const child = spawn(process.execPath, [import.meta.filename, JSON.stringify(options)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  const { url } = JSON.parse(line) as { url: string };
  return {
    url,
    stats: async () => (await (await fetch(new URL("/stats", url))).json()) as TokenTargetStats,
    close: async () => {
      const ended = once(child, "exit");
      child.stdin.end();
      await ended;
    },
  };
}

/** A bucket that is never more than full. */
class Bucket {
  readonly #perMs: number;
  readonly #burst: number;
  #level: number;
  #lastMs: number | null = null;

  constructor(perMinute: number, burst: number) {
    this.#perMs = perMinute / 60_000;
    this.#burst = burst;
    this.#level = burst;
  }

  get level(): number {
    return this.#level;
  }

  /** Takes tokens; false (and nothing taken) when they are not there. */
  take(tokens: number, nowMs: number): boolean {
    this.#level = Math.min(this.#burst, this.#level + (nowMs - (this.#lastMs ?? nowMs)) * this.#perMs);
    this.#lastMs = nowMs;
    if (this.#level < tokens) return false;
    this.#level -= tokens;
    return true;
  }
}

class Endpoint {
  readonly server: Server;
  readonly #options: TokenTargetOptions;
  readonly #bucket: Bucket;
  /** Never refuses: how far it is drawn down is the burst that was needed. */
  readonly #measure: Bucket;
  readonly #deep = 1e12;
  #calls = 0;
  #accepted = 0;
  readonly #answeredWithProse = new Set<string>();
  #input = 0;
  #output = 0;
  #shortest = Number.POSITIVE_INFINITY;
  #longest = 0;
  #neededBurst = 0;
  #lastTokens = 0;
  #firstMs: number | null = null;
  #lastMs = 0;
  #inFlight = 0;
  #maxInFlight = 0;

  constructor(options: TokenTargetOptions) {
    const { tokensPerMinute, burst = tokensPerMinute / 6 } = options;
    this.#options = options;
    this.#bucket = new Bucket(tokensPerMinute, burst);
    this.#measure = new Bucket(tokensPerMinute, this.#deep);
    this.server = createServer((request, response) => void this.#take(request, response));
  }

  stats(): TokenTargetStats {
    return {
      calls: this.#calls,
      accepted: this.#accepted,
      rejected: this.#calls - this.#accepted,
      inputTokens: this.#input,
      outputTokens: this.#output,
      shortest: this.#shortest,
      longest: this.#longest,
      neededBurst: this.#neededBurst,
      lastTokens: this.#lastTokens,
      spanMs: this.#firstMs === null ? 0 : this.#lastMs - this.#firstMs,
      maxInFlight: this.#maxInFlight,
    };
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === "/stats") {
      send(response, 200, this.stats());
      return;
    }
    const nowMs = performance.now();
    const body = JSON.parse(await text(request)) as ChatRequest;
    const { authorization } = this.#options;
    if (authorization !== undefined && request.headers.authorization !== authorization) {
      send(response, 401, { error: { message: "Incorrect API key provided" } });
      return;
    }
    this.#calls += 1;
    this.#firstMs ??= nowMs;
    this.#lastMs = nowMs;
    const input = Math.ceil(body.messages.reduce((sum, { content }) => sum + content.length, 0) / 4);
    const output = this.#outputOf(body);
    const isTaken = this.#bucket.take(input + output, nowMs);
    const told = { "x-ratelimit-remaining-tokens": String(Math.floor(this.#bucket.level)) };
    const headers = this.#options.saysRemaining === true ? told : {};
    if (!isTaken) {
      const retryAfter = { "retry-after": "1" };
      send(
        response,
        429,
        { error: { message: "Rate limit reached for tokens" } },
        { ...headers, ...retryAfter },
      );
      return;
    }
    this.#account(input, output, nowMs);
    this.#answer(response, body, { input, output, headers });
  }

  #account(input: number, output: number, nowMs: number): void {
    this.#accepted += 1;
    this.#lastTokens = input + output;
    this.#input += input;
    this.#output += output;
    this.#shortest = Math.min(this.#shortest, input);
    this.#longest = Math.max(this.#longest, input);
    this.#measure.take(input + output, nowMs);
    this.#neededBurst = Math.max(this.#neededBurst, this.#deep - this.#measure.level);
    this.#inFlight += 1;
    this.#maxInFlight = Math.max(this.#maxInFlight, this.#inFlight);
  }

  #outputOf(body: ChatRequest): number {
    const [least, most] = this.#options.outputTokens ?? [50, 150];
    return Math.min(body.max_tokens ?? most, Math.round(least + Math.random() * (most - least)));
  }

  #answer(
    response: ServerResponse,
    body: ChatRequest,
    call: {
      readonly input: number;
      readonly output: number;
      readonly headers: Readonly<Record<string, string>>;
    },
  ): void {
    const { proseEvery = 0, baseMs = 200, msPerToken = 5 } = this.#options;
    const wantsJson = body.response_format !== undefined;
    const prompt = body.messages.at(-1)?.content ?? "";
    const said = prompt.slice(0, 20);
    const isProse =
      proseEvery > 0 && this.#accepted % proseEvery === 0 && !this.#answeredWithProse.has(prompt);
    if (isProse) this.#answeredWithProse.add(prompt);
    const content = wantsJson && !isProse ? JSON.stringify({ label: "good", words: 3 }) : `about ${said}`;
    const completion = {
      object: "chat.completion",
      model: body.model,
      choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }],
      usage: {
        prompt_tokens: call.input,
        completion_tokens: call.output,
        total_tokens: call.input + call.output,
      },
    };
    setTimeout(
      () => {
        this.#inFlight -= 1;
        send(response, 200, completion, call.headers);
      },
      baseMs + call.output * msPerToken,
    );
  }
}

interface ChatRequest {
  readonly model: string;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly max_tokens?: number;
  readonly response_format?: unknown;
}

function send(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(value));
}

if (import.meta.main) {
  process.on("SIGINT", () => {});
  const options = JSON.parse(process.argv[2] ?? '{"tokensPerMinute":60000}') as TokenTargetOptions;
  const { server } = new Endpoint(options);
  server.listen(options.port ?? 0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo;
    process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${port}/v1` })}\n`);
  });
  process.stdin.on("end", () => process.exit(0)).resume();
}
