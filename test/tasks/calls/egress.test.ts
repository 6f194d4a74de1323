import { afterEach, describe, expect, it } from "vitest";
import { parseSpec } from "../../../src/runSpec/schema.ts";
import { missingSecrets } from "../../../src/runs/missingSecrets.ts";
import { Gate } from "../../../src/tasks/calls/gate.ts";
import { openSecretWarnings } from "../../../src/tasks/openSecrets.ts";
import { isHostForSecret, secretNames } from "../../../src/tasks/secrets.ts";
import { LaneStopped, SecretMissing } from "../../../src/tasks/task.ts";
import { echo, OpenPermits, type Server, startServer, tryItem } from "../../support/oneTry.ts";

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function serve(answer: Parameters<typeof startServer>[0] = echo): Promise<Server> {
  const server = await startServer(answer);
  servers.push(server);
  return server;
}

const AUTHORIZATION = { authorization: "Bearer {{secret:KEY}}" };

describe("a secret", () => {
  it("is put in at the call, and masked when the target sends it back", async () => {
    const server = await serve();
    const task = {
      kind: "http",
      url: `${server.origin}/{{item}}?k={{secret:KEY}}`,
      headers: AUTHORIZATION,
      body: { k: "{{secret:KEY}}" },
    };
    const outcome = await tryItem(task, "a", { env: { WEIR_SECRET_KEY: ' "hunter/22" \n' } });
    expect(server.arrivals[0]).toMatchObject({
      url: "/a?k=%22hunter%2F22%22",
      headers: { authorization: 'Bearer "hunter/22"' },
      body: '{"k":"\\"hunter/22\\""}',
    });
    expect(outcome).toMatchObject({ kind: "ok", value: { url: "/a?k=[secret:KEY]" } });
    expect(JSON.stringify(outcome)).not.toContain("hunter");
  });

  it("is masked in the message of a failure", async () => {
    const server = await serve((_arrival, response) => {
      response.writeHead(400, "no hunter22 here");
      response.end();
    });
    const task = { kind: "http", url: `${server.origin}/{{item}}`, headers: AUTHORIZATION };
    const outcome = await tryItem(task, "a", { env: { WEIR_SECRET_KEY: "hunter22" } });
    expect(outcome).toMatchObject({ kind: "permanent", message: "400 no [secret:KEY] here" });
  });

  it.each([undefined, "", "abc", "   "])("that is %j stops the run before any call", async (value) => {
    const server = await serve();
    const permits = new OpenPermits();
    const task = { kind: "http", url: `${server.origin}/{{item}}`, headers: AUTHORIZATION };
    await expect(tryItem(task, "a", { permits, env: { WEIR_SECRET_KEY: value } })).rejects.toEqual(
      new SecretMissing("KEY"),
    );
    expect([server.arrivals.length, permits.taken]).toEqual([0, 0]);
  });

  it("goes to a host that an item names only when WEIR_SECRET_NAME_HOSTS has it", async () => {
    const server = await serve();
    const task = { kind: "http", url: "{{item}}", headers: AUTHORIZATION };
    const call = (hosts: string) =>
      tryItem(task, `${server.origin}/a`, {
        allowPrivate: true,
        env: { WEIR_SECRET_KEY: "hunter22", WEIR_SECRET_KEY_HOSTS: hosts },
      });
    for (const hosts of ["", "example.com", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.example.com"]) {
      expect(await call(hosts), hosts).toMatchObject({
        kind: "permanent",
        errorKind: "disallowed",
        called: false,
      });
    }
    expect(server.arrivals.length).toBe(0);
    const { host } = new URL(server.origin);
    for (const hosts of [host, `example.com, ${host}`, `example.com ${host}`]) {
      expect(await call(hosts), hosts).toMatchObject({ kind: "ok" });
    }
  });

  it("has its further hosts compared as hosts", () => {
    const env = { WEIR_SECRET_KEY_HOSTS: "API.example.com, b.example.com:8443 ,," };
    const named = (url: string) => isHostForSecret(env, "KEY", new URL(url));
    expect(named("https://api.example.com/")).toBe(true);
    expect(named("https://b.example.com:8443/")).toBe(true);
    expect(named("https://b.example.com/")).toBe(false);
    expect(named("https://api.example.com:443/")).toBe(true);
    expect(named("https://api.example.com:8443/")).toBe(false);
    expect(named("https://example.com/")).toBe(false);
    expect(named("https://xapi.example.com/")).toBe(false);
  });

  it.each([
    ["http://api.example.com/", false],
    ["http://api.example.com:443/", false],
    ["http://api.example.com:8080/", false],
    ["http://10.0.0.1:8080/", false],
    ["https://10.0.0.1:8080/", true],
    ["http://127.0.0.1:8080/", true],
    ["http://localhost:8080/", true],
    ["http://[::1]:8080/", true],
    ["http://localhost.example.com:8080/", false],
  ])("goes to %s, which an item names: %s, for plain http leaves no machine with it", (url, expected) => {
    const hosts =
      "api.example.com api.example.com:443 api.example.com:8080 10.0.0.1:8080 127.0.0.1:8080 localhost:8080 [::1]:8080 localhost.example.com:8080";
    const env = { WEIR_SECRET_KEY: "hunter22", WEIR_SECRET_KEY_HOSTS: hosts };
    expect(isHostForSecret(env, "KEY", new URL(url))).toBe(expected);
    const request = {
      url: [url],
      method: "GET",
      headers: { a: [{ secret: "KEY" }] },
      body: null,
      timeoutMs: 1,
    };
    const resolve = (urls: readonly string[]) => () => new Gate(env, urls, true).resolve(request);
    if (expected) expect(resolve([])().headers).toEqual({ a: "hunter22" });
    else expect(resolve([])).toThrow("over plain http it goes only to an origin that the spec writes out");
    expect(resolve([url])().headers).toEqual({ a: "hunter22" });
  });

  it.each([
    ["http://api.example.com/{{item}}", "secret KEY goes to http://api.example.com over plain http"],
    ["http://10.0.0.1:8080/{{item}}", "secret KEY goes to http://10.0.0.1:8080 over plain http"],
    ["https://api.example.com/{{item}}", null],
    ["http://127.0.0.1:3000/{{item}}", null],
    ["http://localhost:3000/{{item}}", null],
    ["{{item}}", null],
  ])("that the spec sends to %s is warned of as %j", (url, warning) => {
    const of = (headers: object) => {
      const spec = {
        name: "s",
        source: { kind: "range", from: 1, to: 2 },
        task: { kind: "http", url, headers },
      };
      const parsed = parseSpec(spec);
      if (parsed.kind !== "ok") throw new Error(JSON.stringify(parsed));
      return openSecretWarnings(parsed.spec.task);
    };
    expect(of(AUTHORIZATION)).toEqual(warning === null ? [] : [expect.stringContaining(warning)]);
    expect(of({})).toEqual([]);
  });

  it("is known by its name, and missing when a spec names it and the environment does not", () => {
    const env = { WEIR_SECRET_A: "long enough", WEIR_SECRET_B: "abc", WEIR_SECRET_A_HOSTS: "example.com" };
    expect(secretNames(env)).toEqual(["A"]);
    const task = {
      kind: "http",
      url: "https://h.example/{{item}}",
      headers: { a: "{{secret:A}}{{secret:B}}{{secret:C}}" },
    };
    const settings = { body: null, failWhen: null, idempotencyHeader: null, expect: ["2xx"] };
    expect(
      missingSecrets({ task: { ...task, ...settings }, source: { kind: "range" } } as never, env),
    ).toEqual([
      { name: "B", path: "task.headers.a" },
      { name: "C", path: "task.headers.a" },
    ]);
  });
});

describe("a host that is not public", () => {
  it("is called where the spec writes it out, and where an item names it only with allowPrivate", async () => {
    const server = await serve();
    const item = `${server.origin}/a`;
    expect(await tryItem({ kind: "http", url: `${server.origin}/{{item}}` }, "a")).toMatchObject({
      kind: "ok",
    });
    expect(await tryItem({ kind: "http", url: "{{item}}" }, item, { allowPrivate: true })).toMatchObject({
      kind: "ok",
    });
    const refused = await tryItem({ kind: "http", url: "{{item}}" }, item);
    expect(refused).toMatchObject({ kind: "permanent", errorKind: "disallowed", called: false });
    expect(server.arrivals.length).toBe(2);
  });
});

describe("a host that the spec writes out", () => {
  const request = (url: string) => ({ url: [url], method: "GET", headers: {}, body: null, timeoutMs: 1 });

  it.each([
    ["http://127.0.0.1:3000", "http://127.0.0.1:3000/a", true],
    ["http://127.0.0.1:3000", "http://127.0.0.1:5432/a", false],
    ["http://127.0.0.1:3000", "http://127.0.0.1/a", false],
    ["http://127.0.0.1:3000", "https://127.0.0.1:3000/a", false],
    ["http://intranet", "http://intranet:80/a", true],
    ["http://intranet", "http://intranet:8080/a", false],
    ["https://api.example.com", "https://api.example.com:8443/a", true],
  ])("at %s: a redirect to %s is followed without allowPrivate: %s", (written, url, isFollowed) => {
    const gate = new Gate({}, [written], false);
    if (isFollowed) expect(gate.resolve(request(url)).url).toBe(url);
    else expect(() => gate.resolve(request(url))).toThrow(`host ${new URL(url).host} is not public`);
    expect(new Gate({}, [written], true).resolve(request(url)).url).toBe(url);
  });

  it("does not lead to another port of it", async () => {
    const inner = await serve();
    const outer = await serve((_arrival, response) => {
      response.writeHead(302, { location: `${inner.origin}/a` }).end();
    });
    const task = { kind: "http", url: `${outer.origin}/{{item}}` };
    expect(await tryItem(task, "a")).toMatchObject({ kind: "permanent", errorKind: "disallowed" });
    expect(inner.arrivals.length).toBe(0);
    expect(await tryItem(task, "a", { allowPrivate: true })).toMatchObject({ kind: "ok" });
  });
});

describe("what was decided for one URL of the spec's host", () => {
  const spelled = (host: string) => [
    `https://${host}/a`,
    ` https://${host}/a`,
    `https:///${host}/a`,
    `https:/\\${host}/a`,
    `https:\\\\${host}/a`,
    `https://${host}\\@other.example/a`,
    `https://${host}?x/a`,
    `https://${host}#x/a`,
    `\thttps://${host}/a`,
    `ht\ntps://${host}/a`,
    `HTTPS://${host}/a`,
  ];
  const request = (url: string) => ({ url: [url], method: "GET", headers: {}, body: null, timeoutMs: 1 });

  it.each(spelled("10.0.0.2"))("never lets %j pass", (other) => {
    const gate = new Gate({}, ["https://10.0.0.1/a"], false);
    for (const ours of spelled("10.0.0.1")) {
      for (const text of [ours, `${ours}/b`]) expect(gate.resolve(request(text)).url).toBe(text);
      expect(() => gate.resolve(request(other))).toThrow("is not public");
    }
  });
});

describe("a permit", () => {
  it("that has expired sends nothing: another is taken", async () => {
    const server = await serve();
    const permits = new OpenPermits();
    permits.expire = 2;
    expect(await tryItem({ kind: "http", url: `${server.origin}/{{item}}` }, "a", { permits })).toMatchObject(
      { kind: "ok" },
    );
    expect([permits.taken, permits.used, permits.ended, server.arrivals.length]).toEqual([3, 1, 1, 1]);
  });

  it("is done once, however the call ended", async () => {
    const server = await serve((arrival, response) => {
      if (arrival.url === "/cut") response.destroy();
      else response.writeHead(arrival.url === "/404" ? 404 : 200).end("x");
    });
    const permits = new OpenPermits();
    for (const item of ["ok", "404", "cut"])
      await tryItem({ kind: "http", url: `${server.origin}/{{item}}` }, item, { permits });
    // The one that is cut is sent again for each that was answered: its connection may have been one of theirs.
    expect([permits.used, permits.ended]).toEqual([5, 5]);
  });
});

describe("an answer", () => {
  it("gives way to calls that are about to leave", async () => {
    const server = await serve();
    const permits = new OpenPermits();
    let left = () => {};
    permits.passing = new Promise((resolve) => {
      left = resolve;
    });
    let isOver = false;
    const tried = tryItem({ kind: "http", url: `${server.origin}/{{item}}` }, "a", { permits }).finally(
      () => {
        isOver = true;
      },
    );
    await expect.poll(() => server.arrivals.length).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([isOver, permits.ended]).toEqual([false, 0]);
    left();
    expect(await tried).toMatchObject({ kind: "ok" });
  });
});

describe("a lane that has to stop", () => {
  it("makes no call, and a call it cuts has no outcome", async () => {
    let arrived = (): void => {};
    const server = await serve((_arrival, response) => {
      response.writeHead(200);
      response.write("half");
      arrived();
    });
    const task = { kind: "http", url: `${server.origin}/{{item}}` };
    const permits = new OpenPermits();
    await expect(tryItem(task, "a", { permits, signal: AbortSignal.abort() })).rejects.toBeInstanceOf(
      LaneStopped,
    );
    expect([permits.used, server.arrivals.length]).toEqual([0, 0]);
    const stop = new AbortController();
    arrived = () => stop.abort();
    await expect(tryItem(task, "a", { permits, signal: stop.signal })).rejects.toBeInstanceOf(LaneStopped);
    expect([permits.used, permits.ended]).toEqual([1, 1]);
  });
});
