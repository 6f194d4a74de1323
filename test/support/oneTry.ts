/** One try of one item through the real way out, against a real server on this machine. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Json, TaskSpec } from "../../src/core/spec.ts";
import { parseSpec } from "../../src/runSpec/schema.ts";
import { createEgress } from "../../src/tasks/calls/egress.ts";
import type { Permits } from "../../src/tasks/calls/permits.ts";
import { taskOf } from "../../src/tasks/registry.ts";
import type { SecretEnv } from "../../src/tasks/secrets.ts";
import type { BatchOutcome, Task, TaskOutcome } from "../../src/tasks/task.ts";

export interface Arrival {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export interface Server {
  readonly origin: string;
  readonly arrivals: Arrival[];
  close(): Promise<void>;
}

type Answer = (arrival: Arrival, response: ServerResponse) => void;

/** A server on a free port of 127.0.0.1 that keeps what arrived; `answer` ends every response. */
export async function startServer(answer: Answer): Promise<Server> {
  const arrivals: Arrival[] = [];
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces).toString();
    const arrival = { method: request.method ?? "", url: request.url ?? "", headers: request.headers, body };
    arrivals.push(arrival);
    answer(arrival, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { origin: `http://127.0.0.1:${port}`, arrivals, close };
}

/** Permits that are always there; counts what was taken, spent and done. */
export class OpenPermits implements Permits {
  taken = 0;
  used = 0;
  ended = 0;
  /** So many permits expire before they are used. */
  expire = 0;
  /** What answers give way to. */
  passing: Promise<void> | null = null;

  async take() {
    this.taken++;
    const isExpired = this.taken <= this.expire;
    return {
      use: () => {
        if (!isExpired) this.used++;
        return !isExpired;
      },
      done: () => {
        this.ended++;
      },
      giveWay: () => this.passing,
      epoch: 0,
      probe: false,
    };
  }
}

export interface TryOptions {
  readonly env?: SecretEnv;
  readonly allowPrivate?: boolean;
  readonly permits?: Permits;
  readonly signal?: AbortSignal;
  readonly index?: number;
  readonly mayBeUnderWay?: boolean;
}

/** Checks the task's settings as a spec's and runs one try. */
export async function tryItem(task: TaskSpec, item: Json, options: TryOptions = {}): Promise<TaskOutcome> {
  const { egress, ...input } = wayOut(task, options);
  return egress.run({ ...input, item, index: options.index ?? 0 });
}

/** The same for one call that carries all items. */
export async function tryBatch(
  task: TaskSpec,
  items: readonly Json[],
  options: TryOptions = {},
): Promise<BatchOutcome> {
  const { egress, ...input } = wayOut(task, options);
  const first = options.index ?? 0;
  return egress.runBatch({ ...input, items: items.map((item, n) => ({ item, index: first + n })) });
}

function wayOut(task: TaskSpec, options: TryOptions) {
  const source = { kind: "range", from: 0, to: 1 };
  const parsed = parseSpec({ source, task, allowPrivate: options.allowPrivate ?? false });
  if (parsed.kind === "invalid") throw new Error(`${parsed.path} ${parsed.message}`);
  const { spec } = parsed;
  const egress = createEgress({
    env: options.env ?? {},
    settings: { version: 1, run: "run", root: "root", spec, itemSource: source, child: false },
  });
  return {
    egress,
    task: taskOf(task.kind) as Task<unknown, unknown>,
    client: undefined,
    permits: options.permits ?? new OpenPermits(),
    signal: options.signal ?? new AbortController().signal,
    mayBeUnderWay: options.mayBeUnderWay ?? false,
  };
}

/** Answers with what arrived, as JSON. */
export function echo(arrival: Arrival, response: ServerResponse): void {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(arrival));
}
