/** Runs as the tests of the API need them: started, looked at and waited for over the API. */
import { expect } from "vitest";
import type { RunView } from "../../src/core/run/runView.ts";
import { isEnded } from "../../src/core/run/runView.ts";
import { type Answer, answer, call, until } from "./callApi.ts";

/** `target.test` answers by the path: see the edge project in `vitest.config.ts`. */
export const USERS = "https://target.test/users/{{item}}";
/** A run that makes no second call within the test. */
export const SLOW = {
  quota: { requests: "1/h" },
  task: { kind: "http", url: "https://target.test/never/{{item}}" },
};

/** "0", "1", … */
export function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i));
}

/** Starts a run that must be accepted. */
export async function start(spec: object, headers: Record<string, string> = {}): Promise<RunView> {
  const { status, body } = await answer<RunView & Answer>(await call("POST", "/v1/runs", spec, headers));
  expect([status, body.error]).toEqual([201, undefined]);
  return body;
}

/** The run as it is now. */
export async function view(id: string): Promise<RunView> {
  return (await answer<RunView>(await call("GET", `/v1/runs/${id}`))).body;
}

/** The run once it has ended. */
export async function ended(id: string): Promise<RunView> {
  return until(async () => {
    const run = await view(id);
    return isEnded(run.status) && run;
  });
}

/** A run of fifty items that has ended; those that end in 7 are failed. */
export async function fifty(change: object = {}): Promise<RunView> {
  const source = { kind: "items", items: numbers(50) };
  return ended(
    (
      await start({
        source,
        task: { kind: "http", url: USERS },
        chunkSize: 20,
        quota: { requests: "1000/s" },
        ...change,
      })
    ).id,
  );
}
