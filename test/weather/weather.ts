/**
 * Bad weather for a real Worker: its queues, bucket and database as they may behave, and no worse than that.
 *
 * The Worker of these tests (`worker.ts`) is the product with its bindings passed through here. A call is refused
 * before the platform saw it, or done with its answer lost. One seed decides in the order in which things are asked.
 */
import type { QueueMessage } from "../../src/core/protocol.ts";
import type { Env } from "../../src/objects/env.ts";
import { Random } from "../../src/sim/random.ts";

export type Delivery = "once" | "lost" | "twice" | "late";
export type Answer = "given" | "refused" | "lost";

/** What the bindings do now. */
export interface Weather {
  delivery: () => Delivery;
  bucket: () => Answer;
  database: () => Answer;
}

/** A message that is late is so by this much. */
const LATE_S = 2;

export const weather: Weather = fair();
/** How often what was not fair happened: "queue lost", "bucket refused", … */
export const seen = new Map<string, number>();

export function clearUp(): void {
  Object.assign(weather, fair());
  seen.clear();
}

function fair(): Weather {
  return { delivery: () => "once", bucket: () => "given", database: () => "given" };
}

/** One call in five goes wrong: refused, or done and its answer lost. */
export function oneInFive(seed: number): () => Answer {
  const random = new Random(seed);
  return () => (random.chance(0.2) ? random.pick(["refused", "lost"]) : "given");
}

/** Three messages in five do not arrive once and at once. */
export function unreliable(seed: number): () => Delivery {
  const random = new Random(seed);
  return () => (random.chance(0.6) ? random.pick(["lost", "twice", "late"]) : "once");
}

/** The bindings as they behave in this weather. */
export function inWeather(env: Env): Env {
  return {
    ...env,
    LANES_0: queueIn(env.LANES_0),
    LANES_1: queueIn(env.LANES_1),
    LANES_2: queueIn(env.LANES_2),
    LANES_3: queueIn(env.LANES_3),
    BUCKET: bucketIn(env.BUCKET),
    DB: databaseIn(env.DB),
  };
}

function queueIn(queue: Queue<QueueMessage>): Queue<QueueMessage> {
  const send = async (message: QueueMessage): Promise<void> => {
    const delivery = weather.delivery();
    note("queue", delivery, "once");
    if (delivery === "lost") return;
    if (delivery === "twice") await queue.send(message);
    await queue.send(message, delivery === "late" ? { delaySeconds: LATE_S } : {});
  };
  return new Proxy(queue, { get: (target, key) => (key === "send" ? send : member(target, key)) });
}

function bucketIn<T extends object>(target: T): T {
  return new Proxy(target, {
    get: (_, key) => {
      const value = member(target, key);
      if (typeof value !== "function") return value;
      // Makes no call by itself.
      if (key === "resumeMultipartUpload") return (...input: unknown[]) => bucketIn(value(...input));
      return async (...input: unknown[]) => {
        const result = await through("bucket", weather.bucket(), () => value(...input));
        return key === "createMultipartUpload" ? bucketIn(result as object) : result;
      };
    },
  });
}

function databaseIn(database: D1Database): D1Database {
  const natives = new WeakMap<D1PreparedStatement, D1PreparedStatement>();
  const call = (act: () => unknown) => through("database", weather.database(), act);
  const shown = (native: D1PreparedStatement): D1PreparedStatement => {
    const statement = new Proxy(native, {
      get: (_, key) => {
        const value = member(native, key);
        if (key === "bind") return (...values: unknown[]) => shown(native.bind(...values));
        return typeof value === "function" ? (...input: unknown[]) => call(() => value(...input)) : value;
      },
    });
    natives.set(statement, native);
    return statement;
  };
  const batch = (statements: readonly D1PreparedStatement[]) =>
    call(() => database.batch(statements.map((statement) => natives.get(statement) ?? statement)));
  return new Proxy(database, {
    get: (_, key) => {
      if (key === "prepare") return (sql: string) => shown(database.prepare(sql));
      return key === "batch" ? batch : member(database, key);
    },
  });
}

async function through(what: string, answer: Answer, act: () => unknown): Promise<unknown> {
  note(what, answer, "given");
  if (answer === "refused") throw new Error(`${what}: internal error, please try again`);
  const result = await act();
  if (answer === "lost") throw new Error(`${what}: network connection lost`);
  return result;
}

/** A property; a method stays one of its object. */
function member(target: object, key: string | symbol): unknown {
  const value: unknown = Reflect.get(target, key, target);
  return typeof value === "function" ? (...input: unknown[]) => Reflect.apply(value, target, input) : value;
}

function note(what: string, happened: string, ordinary: string): void {
  if (happened !== ordinary) seen.set(`${what} ${happened}`, (seen.get(`${what} ${happened}`) ?? 0) + 1);
}
