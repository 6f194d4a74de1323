/**
 * Tasks of a project's own: one function, and what Weir has to know of it before the first call. Requests may be written
 * shorter than Weir's own tasks write them; what is left out has a default.
 */
import type { z } from "zod";
import type { Json } from "../core/spec.ts";
import type { SecretText } from "../core/template/template.ts";
import type {
  BatchOutcome,
  Complaint,
  OpenContext,
  OutgoingRequest,
  Task,
  TaskContext,
  TaskOutcome,
} from "../tasks/task.ts";

/** Makes the schema of settings from zod, which Weir brings: in the lanes, which take checked settings, nothing calls it. */
export type SettingsMaker<Settings> = (zod: typeof z) => z.ZodObject & z.ZodType<Settings>;

/** Text, or pieces in which `{ secret: "NAME" }` stands where the value of `WEIR_SECRET_NAME` goes. */
type Text = string | SecretText;

export interface OwnRequest {
  /** Absolute http(s) URL; what comes from an item is encoded by the task (`encodeURIComponent`). */
  readonly url: Text;
  /** Left out: GET, or POST where there is a body. */
  readonly method?: string;
  readonly headers?: { readonly [name: string]: Text };
  readonly body?: Text | null;
  /** Sent as JSON, with its content type. */
  readonly json?: Json;
  /** Time for headers and body together, in milliseconds. Left out: 30,000. */
  readonly timeoutMs?: number;
  /** A second arrival does no harm: it carries an idempotency key. */
  readonly isRepeatable?: true;
}

/** What goes for `TaskContext` of `tasks/task.ts`, with requests in the short form. */
export interface OwnCallContext extends Omit<TaskContext, "fetch"> {
  /** The only way out: takes one permit, follows no redirect, ends at `timeoutMs`, hides secrets. */
  fetch(request: OwnRequest): Promise<Response>;
}

/** What `open` is given. */
export type OwnTaskContext = OpenContext;

export interface OwnTask<Settings, Client = undefined>
  extends Pick<Task<Settings, Client>, "inherits" | "batch" | "warnings" | "lingerMs"> {
  /** What a spec's `task` may say besides `kind`: gets zod. Left out: nothing. */
  readonly settings?: SettingsMaker<Settings>;
  /** Beyond the schema: what is wrong, with paths below `task`. */
  check?(settings: Settings): Complaint | readonly Complaint[] | null;
  /** The URLs in the settings: secrets go to their origins, and their hosts may be private. Left out: every URL in them. */
  urls?(settings: Settings): readonly string[];
  /** Names of the secrets that requests use. Left out: the value of the setting `secret`, where there is one. */
  secrets?(settings: Settings): readonly string[];
  /** The first request of an item, for `weir plan`. Left out: the plan shows none. */
  request?(settings: Settings, item: Json): OwnRequest;
  /** Once per lane: what its calls share. */
  open?(settings: Settings, context: OwnTaskContext): Promise<Client>;
  /** One try of one item. */
  run(item: Json, context: OwnCallContext, settings: Settings, client: Client): Promise<TaskOutcome>;
  /** One try of several items by one call, where `batch` says more than 1. */
  runBatch?(
    items: readonly Json[],
    context: OwnCallContext,
    settings: Settings,
    client: Client,
  ): Promise<BatchOutcome>;
  close?(client: Client): Promise<void>;
}

/** A task, with the types of its settings and of what its lanes open found out. */
export function defineTask<Settings = Record<never, never>, Client = undefined>(
  task: OwnTask<Settings, Client>,
): OwnTask<Settings, Client> {
  return task;
}

/** The task as Weir takes it. */
export function taskOf<Settings, Client>(
  kind: string,
  own: OwnTask<Settings, Client>,
): Task<Settings, Client> {
  return {
    kind,
    ...(own.inherits !== undefined && { inherits: own.inherits }),
    batch: (settings) => own.batch?.(settings) ?? 1,
    warnings: (settings, plan) => own.warnings?.(settings, plan) ?? [],
    lingerMs: (settings) => own.lingerMs?.(settings) ?? 0,
    ...(own.runBatch !== undefined && {
      runBatch: (items, context, settings, client) =>
        own.runBatch!(items, withShortRequests(context), settings, client),
    }),
    check: (settings) => own.check?.(settings) ?? null,
    urls: (settings) => own.urls?.(settings) ?? urlsIn(settings),
    secrets: (settings) => own.secrets?.(settings) ?? secretIn(settings),
    preview(settings, item) {
      if (own.request === undefined) return null;
      const { url, method, headers, body } = whole(own.request(settings, item));
      return {
        method,
        url: shown(url),
        headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, shown(value)])),
        body: body === null ? null : shown(body),
      };
    },
    open: async (settings, context) => (await own.open?.(settings, context)) as Client,
    run: (item, context, settings, client) => own.run(item, withShortRequests(context), settings, client),
    close: async (client) => own.close?.(client),
  };
}

const DEFAULT_TIMEOUT_MS = 30_000;

function withShortRequests(context: TaskContext): OwnCallContext {
  return {
    index: context.index,
    runId: context.runId,
    mayBeUnderWay: context.mayBeUnderWay,
    signal: context.signal,
    idempotencyKey: (of) => context.idempotencyKey(of),
    fetch: (request) => context.fetch(whole(request)),
    call: (leave) => context.call(leave),
    mask: (text) => context.mask(text),
  };
}

function whole(request: OwnRequest): OutgoingRequest {
  const { url, headers = {}, timeoutMs = DEFAULT_TIMEOUT_MS, isRepeatable, json } = request;
  const body = json === undefined ? (request.body ?? null) : JSON.stringify(json);
  const named = Object.entries(headers).map(([name, value]) => [name, pieces(value)] as const);
  const hasType = named.some(([name]) => name.toLowerCase() === "content-type");
  return {
    url: pieces(url),
    method: request.method ?? (body === null ? "GET" : "POST"),
    headers: {
      ...(json !== undefined && !hasType && { "content-type": ["application/json"] }),
      ...Object.fromEntries(named),
    },
    body: body === null ? null : pieces(body),
    timeoutMs,
    ...(isRepeatable === true && { isRepeatable }),
  };
}

function pieces(text: Text): SecretText {
  return typeof text === "string" ? [text] : text;
}

function shown(text: SecretText): string {
  return text.map((piece) => (typeof piece === "string" ? piece : `[secret:${piece.secret}]`)).join("");
}

function urlsIn(value: unknown): readonly string[] {
  if (typeof value === "string") return /^https?:\/\//i.test(value) ? [value] : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(urlsIn);
}

function secretIn(settings: unknown): readonly string[] {
  const { secret } = (settings ?? {}) as { readonly secret?: unknown };
  return typeof secret === "string" ? [secret] : [];
}
