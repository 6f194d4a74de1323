/**
 * `weir-run/client`: the REST interface with types, for browsers, Workers and Node. Needs nothing but `fetch`.
 *
 * ```ts
 * const weir = createClient({ url: "https://weir.example.workers.dev", token });
 * const run = await weir.runs.create({ source: { kind: "range", from: 1, to: 1001 }, task: { kind: "http", url } });
 * const ended = await weir.runs.untilEnded(run.id);
 * for await (const row of weir.runs.results(run.id)) console.log(row.index, row.ok);
 * ```
 */
import type { ErrorKind, Row } from "../core/row.ts";
import { isEnded as isEndedStatus, type RunStatus, type RunView } from "../core/run/runView.ts";
import type { FireView as Fire, ScheduleView as Schedule } from "../core/schedule/scheduleView.ts";
import type { Json } from "../core/spec.ts";
import type { FailureGroup, Input, Plan, Report } from "./clientAnswers.ts";
import { ApiError, Transport, type TransportOptions } from "./clientTransport.ts";

export type { FireView as Fire, ScheduleView as Schedule } from "../core/schedule/scheduleView.ts";
export type { FailureGroup, Input, Plan, Report } from "./clientAnswers.ts";
export { ApiError, type Problem } from "./clientTransport.ts";
export type { Json, Row, RunStatus, RunView };

/** A spec as a user writes it: docs/spec.md. */
export interface SpecInput {
  readonly source: { readonly kind: string; readonly [key: string]: unknown };
  readonly task: { readonly kind: string; readonly [key: string]: unknown };
  readonly [key: string]: unknown;
}

type Fields = { readonly [key: string]: unknown };

export interface ClientOptions extends TransportOptions {
  /** How often `untilEnded` asks; milliseconds. Left out: 1,000. */
  readonly pollMs?: number;
}

export interface Page {
  /** 1 to 1,000; left out: 100. */
  readonly limit?: number;
  /** Of an earlier answer. */
  readonly cursor?: string;
}

export interface ResultsQuery {
  /** In the order of commits, until the run has ended. */
  readonly follow?: boolean;
  /** Of every item the newest row among the run and its retries. */
  readonly merged?: boolean;
  readonly only?: "ok" | "failed";
  readonly order?: "items" | "commits";
  /** In the order of commits: how many rows to leave out at first. */
  readonly skip?: number;
  readonly unreadable?: "skip";
}

export interface FailuresQuery {
  readonly kinds?: readonly ErrorKind[];
  /** This run's rows alone, whatever became of them in a retry. */
  readonly own?: boolean;
}

/** A failed row. */
export type FailedRow = Extract<Row, { readonly ok: false }>;

/** Under `idempotencyKey` a creation may be sent again: the same key and body give the same one. */
export interface Creating {
  readonly idempotencyKey?: string;
}

export type Client = ReturnType<typeof createClient>;

const POLL_MS = 1000;

/** A client for the Weir at `url`. Its functions reject with ApiError for an answer that is an error. */
export function createClient(options: ClientOptions) {
  const http = new Transport(options);
  const { pollMs = POLL_MS } = options;
  const key = (creating: Creating): Record<string, string> =>
    creating.idempotencyKey === undefined ? {} : { "idempotency-key": creating.idempotencyKey };
  const run = (id: string, rest = "") => `/v1/runs/${encodeURIComponent(id)}${rest}`;
  const input = (name: string, rest = "") => `/v1/inputs/${encodeURIComponent(name)}${rest}`;
  const schedule = (id: string, rest = "") => `/v1/schedules/${encodeURIComponent(id)}${rest}`;

  const runs = {
    create: (spec: SpecInput, creating: Creating = {}) =>
      http.json<RunView>("POST", "/v1/runs", { body: spec, headers: key(creating) }),
    list: (page: Page = {}) =>
      http.json<{ readonly runs: readonly RunView[]; readonly cursor: string | null }>("GET", "/v1/runs", {
        query: { ...page },
      }),
    get: (id: string) => http.json<RunView>("GET", run(id)),
    pause: (id: string) => http.json<RunView>("POST", run(id, "/pause")),
    resume: (id: string) => http.json<RunView>("POST", run(id, "/resume")),
    cancel: (id: string) => http.json<RunView>("POST", run(id, "/cancel")),
    /** Opens the gate of a smoke stage. */
    approve: (id: string) => http.json<RunView>("POST", run(id, "/approve")),
    /** Quota, lanes and what else can be changed while the run goes. */
    change: (id: string, change: Fields) => http.json<RunView>("PATCH", run(id), { body: change }),
    /** A run of its own over what is still failed. */
    retry: (id: string, retry: Fields = {}, creating: Creating = {}) =>
      http.json<RunView>("POST", run(id, "/retry"), { body: retry, headers: key(creating) }),
    /** With its rows. */
    delete: (id: string) => http.nothing("DELETE", run(id)),
    report: (id: string, query: { readonly merged?: boolean } = {}) =>
      http.json<Report>("GET", run(id, "/report"), { query: { ...query } }),
    /** Committed rows, as they come. To break out of the loop ends the request. */
    results: (id: string, query: ResultsQuery = {}) =>
      http.lines<Row>(run(id, "/results"), { query: { ...query } }),
    /** What is still failed, in item order. */
    failures: (id: string, { kinds, own }: FailuresQuery = {}) =>
      http.lines<FailedRow>(run(id, "/failures"), { query: { kind: kinds?.join(","), own } }),
    failureGroups: async (id: string, query: { readonly own?: boolean } = {}) => {
      const path = run(id, "/failures/summary");
      const { groups } = await http.json<{ readonly groups: readonly FailureGroup[] }>("GET", path, {
        query: { ...query },
      });
      return groups;
    },
    /**
     * The run when it has ended, or when it waits for people (paused, awaiting approval): `isEnded` tells. Rejects with the
     * signal's reason when that ends first.
     */
    async untilEnded(id: string, { signal }: { readonly signal?: AbortSignal } = {}): Promise<RunView> {
      for (;;) {
        signal?.throwIfAborted();
        const view = await runs.get(id);
        if (isEnded(view) || view.status === "paused" || view.status === "awaiting-approval") return view;
        await new Promise((resolve) => setTimeout(resolve, pollMs));
      }
    },
  };

  return {
    runs,
    /** What a run of this spec would do: items, time, cost, the first request. Calls nothing. */
    plan: (spec: SpecInput, query: { readonly callMs?: number } = {}) =>
      http.json<Plan>("POST", "/v1/plans", { body: spec, query: { ...query } }),
    inputs: {
      /** Lines, plain or gzip; whole or not at all. */
      store: (name: string, lines: NonNullable<RequestInit["body"]>) =>
        http.json<Input>("PUT", input(name), { raw: lines }),
      list: (page: Page = {}) =>
        http.json<{ readonly inputs: readonly Input[]; readonly cursor: string | null }>(
          "GET",
          "/v1/inputs",
          {
            query: { ...page },
          },
        ),
      delete: (name: string) => http.nothing("DELETE", input(name)),
    },
    schedules: {
      create: (settings: Fields, creating: Creating = {}) =>
        http.json<Schedule>("POST", "/v1/schedules", { body: settings, headers: key(creating) }),
      list: (page: Page = {}) =>
        http.json<{ readonly schedules: readonly Schedule[]; readonly cursor: string | null }>(
          "GET",
          "/v1/schedules",
          { query: { ...page } },
        ),
      get: (id: string) => http.json<Schedule>("GET", schedule(id)),
      change: (id: string, change: Fields) => http.json<Schedule>("PATCH", schedule(id), { body: change }),
      pause: (id: string) => http.json<Schedule>("POST", schedule(id, "/pause")),
      resume: (id: string) => http.json<Schedule>("POST", schedule(id, "/resume")),
      fire: (id: string, fire: Fields = {}) => http.json<Fire>("POST", schedule(id, "/fire"), { body: fire }),
      fires: (id: string, page: Page = {}) =>
        http.json<{ readonly runs: readonly Fire[]; readonly cursor: string | null }>(
          "GET",
          schedule(id, "/runs"),
          { query: { ...page } },
        ),
      delete: (id: string) => http.nothing("DELETE", schedule(id)),
    },
    /** True when the Worker answers; needs no token. */
    isHealthy: () =>
      http.json<{ readonly ok: true }>("GET", "/healthz").then(
        ({ ok }) => ok,
        (fault: unknown) => {
          if (fault instanceof ApiError) return false;
          throw fault;
        },
      ),
    /** What this client has no function for: a JSON answer of any path. */
    request: <Answer>(
      method: string,
      path: string,
      call: { readonly query?: Fields; readonly body?: unknown } = {},
    ) => http.json<Answer>(method, path, call),
  };
}

/** The run will not change any more. */
export function isEnded({ status }: Pick<RunView, "status">): boolean {
  return isEndedStatus(status);
}
