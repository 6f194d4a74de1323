/**
 * The outside system of every measurement: an HTTP server that enforces its limit strictly, answers late, fails
 * as it is told to, and writes down every arrival before it does anything else.
 *
 * As a process of its own: `node test/support/target.ts '{"limit":{"ratePerSecond":1000,"burst":100}}'` prints
 * its addresses as one line of JSON and ends when its standard input does, so that nothing is left behind.
 * It listens on 127.0.0.1 only. A second port takes the questions (`/stats`, `/log`, `/set`), so that asking
 * shows up in no figure and also works while the target is down.
 */
import { Agent, createServer, get, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type ArrivalLog, Arrivals } from "./arrivals.ts";
import { type Fault, planFaults } from "./faults.ts";
import { latencyOf } from "./latency.ts";
import { type Limit, limitOf } from "./targetLimit.ts";
import type { Captured, Target, TargetOptions, TargetStats } from "./targetOptions.ts";

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A target in this process. */
export async function startTarget(
  options: TargetOptions = {},
): Promise<Target & { readonly control: string }> {
  const target = new TargetServer(options);
  await target.start();
  return target;
}

class TargetServer implements Target {
  #options: TargetOptions;
  #limit: Limit | null = null;
  #fault: ReturnType<typeof planFaults>;
  readonly #arrivals = new Arrivals();
  readonly #captured: Captured[] = [];
  #inFlight = 0;
  #maxInFlight = 0;
  readonly #cpuBefore = process.cpuUsage();
  #port = 0;
  #controlPort = 0;
  readonly #server: Server;
  readonly #control: Server;

  constructor(options: TargetOptions) {
    this.#options = options;
    this.#limit = limitOf(options);
    this.#fault = planFaults(options);
    this.#server = createServer({ keepAliveTimeout: 60_000 }, (request, response) =>
      this.#take(request, response),
    );
    this.#control = createServer((request, response) => void this.#steer(request, response));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get control(): string {
    return `http://127.0.0.1:${this.#controlPort}`;
  }

  async start(): Promise<void> {
    this.#port = await listen(this.#server, this.#options.port ?? 0);
    this.#controlPort = await listen(this.#control, 0);
    if (this.#options.down) await shut(this.#server);
  }

  async stats(): Promise<TargetStats> {
    const times = this.#arrivals.times();
    const epoch = (atMs: number | undefined) => (atMs === undefined ? null : performance.timeOrigin + atMs);
    const cpu = process.cpuUsage(this.#cpuBefore);
    return {
      calls: this.#arrivals.calls,
      distinctIds: this.#arrivals.distinctIds,
      perStatus: this.#arrivals.perStatus(),
      inFlight: this.#inFlight,
      maxInFlight: this.#maxInFlight,
      firstAtEpochMs: epoch(times[0]),
      lastAtEpochMs: epoch(times.at(-1)),
      cpuMs: (cpu.user + cpu.system) / 1000,
    };
  }

  async log(): Promise<ArrivalLog> {
    return this.#arrivals.log();
  }

  async captured(): Promise<readonly Captured[]> {
    return this.#captured;
  }

  async set(change: Partial<TargetOptions>): Promise<void> {
    this.#options = { ...this.#options, ...change };
    if (change.limit !== undefined) this.#limit = limitOf(this.#options);
    this.#fault = planFaults(this.#options);
    if (change.down === true && this.#server.listening) await shut(this.#server);
    if (change.down === false && !this.#server.listening) await listen(this.#server, this.#port);
  }

  async close(): Promise<void> {
    await Promise.all([shut(this.#server), shut(this.#control)]);
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const atMs = performance.now();
    const url = request.url ?? "/";
    const prefix = this.#options.prefix ?? "/v1/users/";
    const id = url.startsWith(prefix) ? url.slice(prefix.length) : url;
    const { entry, callOfId } = this.#arrivals.add(atMs, id);

    const refusal = this.#refusal(atMs);
    if (refusal !== null) {
      this.#send(entry, response, refusal);
      return;
    }
    this.#inFlight += 1;
    this.#maxInFlight = Math.max(this.#maxInFlight, this.#inFlight);
    response.once("close", () => {
      this.#inFlight -= 1;
    });
    const fault = this.#fault({ id, callOfId, callOfAll: entry + 1 });
    if (this.#options.echo || this.#captured.length < (this.#options.capture ?? 0)) {
      this.#readWhole(request, (whole) => {
        this.#later(() => this.#answer(entry, response, fault, this.#options.echo ? whole : { id }));
      });
    } else {
      this.#later(() => this.#answer(entry, response, fault, { id, call: callOfId }));
    }
  }

  #refusal(atMs: number): Answer | null {
    const refusedForMs = this.#limit?.admit(atMs) ?? null;
    if (refusedForMs !== null) {
      const headers = { "retry-after": String(Math.max(1, Math.ceil(refusedForMs / 1000))) };
      return { status: 429, headers, body: '{"error":"too many requests"}' };
    }
    const maxInFlight = this.#options.maxInFlight ?? Number.POSITIVE_INFINITY;
    if (this.#inFlight < maxInFlight) return null;
    const { inFlightStatus: status = 503 } = this.#options;
    const body = '{"error":"too many at once"}';
    return status === 429 ? { status, headers: { "retry-after": "1" }, body } : { status, body };
  }

  #readWhole(request: IncomingMessage, then: (whole: Captured) => void): void {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      const whole: Captured = { method, url, headers, body };
      if (this.#captured.length < (this.#options.capture ?? 0)) this.#captured.push(whole);
      then(whole);
    });
  }

  #later(act: () => void): void {
    const ms = latencyOf(this.#options, Math.random);
    if (ms === 0) act();
    else setTimeout(act, ms);
  }

  #answer(entry: number, response: ServerResponse, fault: Fault | null, value: unknown): void {
    switch (fault?.do) {
      case undefined:
        this.#send(entry, response, { status: 200, body: JSON.stringify(value) });
        break;
      case "status":
        this.#send(entry, response, fault);
        break;
      case "garbage":
        this.#send(entry, response, { status: 200, body: "<html>{not json" });
        break;
      case "redirect":
        this.#send(entry, response, { status: fault.status ?? 302, headers: { location: fault.to } });
        break;
      case "hang":
        break;
      case "drop":
        this.#arrivals.answer(entry, 1);
        response.socket?.destroy();
        break;
      case "closeMidBody":
        this.#arrivals.answer(entry, 1);
        response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
        response.write('{"half":', () => response.socket?.destroy());
        break;
      default:
        fault satisfies never;
    }
  }

  #send(entry: number, response: ServerResponse, { status, headers, body = "" }: Answer): void {
    this.#arrivals.answer(entry, status);
    response.writeHead(status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      ...headers,
    });
    response.end(body);
  }

  async #steer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const answers: Record<string, () => Promise<unknown>> = {
      "/stats": () => this.stats(),
      "/log": () => this.log(),
      "/captured": () => this.captured(),
      "/set": () => this.set(JSON.parse(Buffer.concat(pieces).toString()) as Partial<TargetOptions>),
    };
    const answer = answers[request.url ?? ""];
    response.writeHead(answer ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify((await answer?.()) ?? null));
  }
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host: "127.0.0.1", backlog: 4096 }, () => {
      server.off("error", reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function shut(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Calls after which V8 has compiled what every call runs. */
const WARMING_CALLS = 4000;
const WARMING_CONNECTIONS = 40;

/** Has a target of the same kind answer in this process, and forgets it. */
async function warmUp({ limit, latencyMs }: TargetOptions): Promise<void> {
  const target = await startTarget({
    // One that refuses none: what must be warm is the way to an answer.
    limit: limit == null ? null : { ratePerSecond: 1e6, burst: 1e6 },
    ...(latencyMs === undefined ? {} : { latencyMs: [1, 5] }),
  });
  const agent = new Agent({ keepAlive: true, maxSockets: WARMING_CONNECTIONS });
  const call = (id: number) =>
    new Promise<void>((answered, failed) => {
      get(`${target.url}/v1/users/${id}`, { agent }, (answer) => answer.resume().once("end", answered)).once(
        "error",
        failed,
      );
    });
  await Promise.all(Array.from({ length: WARMING_CALLS }, (_, id) => call(id)));
  agent.destroy();
  await target.close();
}

if (import.meta.main) {
  // Ctrl-C reaches the whole terminal: the command under test decides what happens, not its target.
  process.on("SIGINT", () => {});
  const options = JSON.parse(process.argv[2] ?? "{}") as TargetOptions;
  if (options.warm === true) await warmUp(options);
  const target = await startTarget(options);
  process.stdout.write(`${JSON.stringify({ url: target.url, control: target.control, pid: process.pid })}\n`);
  process.stdin.on("end", () => process.exit(0)).resume();
}
