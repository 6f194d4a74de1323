/** Answers of model endpoints that are not what was asked for, through the real command: each is bought once or twice. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RunView } from "../../../src/core/run/runView.ts";
import { type AnswerServer, answerServer, type Given } from "../../support/answerServer.ts";
import { type TestRow, Workspace } from "../../support/weir.ts";

let workspace: Workspace;
let endpoint: AnswerServer;

const usage = { prompt_tokens: 10, completion_tokens: 5 };

function said(message: Record<string, unknown>, finish = "stop"): Given {
  return {
    body: { choices: [{ message: { role: "assistant", ...message }, finish_reason: finish }], usage },
  };
}

function inside(error: Record<string, unknown>): Given {
  return { body: { error, choices: null } };
}

const GOOD = said({ content: '{"ok": true}' });

/** By the prompt; the number of the call with it. */
const ANSWERS: Readonly<Record<string, (call: number) => Given>> = {
  busy: (call) =>
    call === 1 ? inside({ code: 429, message: "slow down", metadata: { retry_after: 1 } }) : GOOD,
  broken: (call) => (call === 1 ? inside({ code: 502, message: "the provider fell over" }) : GOOD),
  bad: () => inside({ code: 400, message: "context is too long" }),
  think: () => said({ content: null, reasoning_content: "let me see" }, "length"),
  tools: () => said({ content: null, tool_calls: [{ function: { name: "search" } }] }, "tool_calls"),
  empty: () => said({ content: "" }, "length"),
  filter: () => said({ content: "" }, "content_filter"),
  fence: () => said({ content: '```json\n{"ok": true}\n```' }),
  prose: () => said({ content: "Certainly! It is true." }),
  cut: () => said({ content: '{"ok": tr' }, "length"),
};

beforeEach(async () => {
  workspace = new Workspace();
  endpoint = await answerServer(({ body, call }) => {
    const { messages } = JSON.parse(body) as { messages: readonly { content: string }[] };
    return ANSWERS[messages[0]?.content ?? ""]?.(call) ?? { status: 404, body: {} };
  });
});
afterEach(async () => {
  await workspace.close();
  await endpoint[Symbol.asyncDispose]();
});

describe("answers of llm", () => {
  test("mean what they say, and are bought no oftener than that helps", async () => {
    const items = Object.keys(ANSWERS);
    const spec = {
      source: { kind: "items", items },
      task: {
        kind: "llm",
        url: `${endpoint.url}/v1`,
        model: "m",
        prompt: "{{item}}",
        maxTokens: 100,
        schema: { type: "object", required: ["ok"] },
      },
      budget: { tokens: 1_000_000 },
      retry: { baseDelayMs: 20 },
      tolerate: { failureRate: 1 },
    };
    workspace.write("spec.json", JSON.stringify(spec));
    const done = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl", "--json"]);
    expect(done.exitCode, done.stderr).toBe(3);
    const rows = new Map(workspace.rows("rows.jsonl").map((row) => [row.item as string, row]));
    const shown = (id: string) => {
      const { ok, attempts, throttles, error } = rows.get(id) as TestRow;
      return { ok, attempts, throttles, message: error?.message };
    };
    const failed = (attempts: number, message: string) => ({ ok: false, attempts, throttles: 0, message });
    const noText = "no text in the answer: ";
    expect(Object.fromEntries(items.map((id) => [id, shown(id)]))).toEqual({
      busy: { ok: true, attempts: 1, throttles: 1 },
      broken: { ok: true, attempts: 2, throttles: 0 },
      bad: failed(1, "400 Bad Request inside 200 OK: context is too long"),
      think: failed(1, `${noText}it was cut at maxTokens (100): raise it; all of it went into thinking`),
      tools: failed(1, `${noText}the model called search in its place; task.body offers tools`),
      empty: failed(1, `${noText}it was cut at maxTokens (100): raise it`),
      filter: failed(1, `${noText}the endpoint's content filter stopped it (finish_reason: content_filter)`),
      fence: { ok: true, attempts: 1, throttles: 0 },
      prose: failed(2, "the answer is not JSON"),
      cut: failed(1, "the answer is not JSON: it was cut at maxTokens (100): raise it"),
    });
    expect(rows.get("fence")?.value).toEqual({ json: { ok: true }, finish: "stop" });
    expect(rows.get("prose")).toMatchObject({ error: { detail: "Certainly! It is true." } });
    const { usage: total } = JSON.parse(done.stdout) as RunView;
    // Ten answers were bought; an error inside a 200 costs nothing.
    expect(total?.spent).toMatchObject({
      calls: 13,
      inputTokens: 100,
      outputTokens: 50,
      unreportedTokens: 0,
    });
    expect(done.stderr).toMatch(/tokens: 100 in, 50 out; 15 of them for tries that gave no row\n/);
  });

  test("that say that the account is used up pause the run with the endpoint's words", async () => {
    await using poor = await answerServer(() => ({
      body: { error: { code: 402, message: "Insufficient credits: top up" } },
    }));
    const spec = {
      source: { kind: "range", from: 0, to: 60 },
      task: { kind: "llm", url: `${poor.url}/v1`, model: "m", prompt: "{{item}}" },
    };
    workspace.write("spec.json", JSON.stringify(spec));
    const done = await workspace.weir(["run", "spec.json", "--out", "rows.jsonl", "--json"]);
    expect(done.exitCode, done.stderr).toBe(5);
    const { why, counts } = JSON.parse(done.stdout) as RunView;
    expect(counts.failed).toBe(0);
    expect(why).toContain("Insufficient credits: top up");
    expect(poor.calls).toBeLessThan(60);
  });
});
