/** Requests of the client: the token, errors as exceptions, and answers of one JSON or of one a line. */

/** One field that was refused. */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

/** An answer that is an error. */
export class ApiError extends Error {
  readonly status: number;
  /** "invalid", "not_found", "conflict" …; "unknown" where the answer is none of Weir's. */
  readonly code: string;
  /** Everything that is wrong with a body. */
  readonly problems: readonly Problem[];
  readonly requestId: string | null;
  constructor(
    status: number,
    of: {
      readonly code: string;
      readonly message: string;
      readonly problems: readonly Problem[];
      readonly requestId: string | null;
    },
  ) {
    super(of.message);
    this.name = "ApiError";
    this.status = status;
    this.code = of.code;
    this.problems = of.problems;
    this.requestId = of.requestId;
  }
}

export interface TransportOptions {
  /** Where Weir is: an origin, perhaps with a path. */
  readonly url: string;
  /** The value of `WEIR_TOKEN` there. */
  readonly token: string;
  /** In the place of the global one. */
  readonly fetch?: typeof fetch;
}

export interface Call {
  /** What is undefined is left out. */
  readonly query?: { readonly [name: string]: unknown };
  readonly headers?: { readonly [name: string]: string };
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as it is. */
  readonly raw?: NonNullable<RequestInit["body"]>;
}

export class Transport {
  readonly #base: string;
  readonly #token: string;
  readonly #fetch: typeof fetch;

  constructor({ url, token, fetch: own }: TransportOptions) {
    this.#base = url.replace(/\/+$/, "");
    this.#token = token;
    // A browser's own refuses to be called as a method.
    this.#fetch = own ?? ((...call) => fetch(...call));
  }

  async json<Answer>(method: string, path: string, call: Call = {}): Promise<Answer> {
    return (await (await this.#send(method, path, call)).json()) as Answer;
  }

  async nothing(method: string, path: string): Promise<void> {
    await (await this.#send(method, path, {})).body?.cancel();
  }

  /** One JSON value a line, as they come. Throws where the answer breaks off. */
  async *lines<Line>(path: string, call: Call = {}): AsyncGenerator<Line, void, undefined> {
    const headers = { accept: "application/x-ndjson", ...call.headers };
    const { body } = await this.#send("GET", path, { ...call, headers });
    if (body === null) return;
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    try {
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const lines = (rest + value).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) if (line !== "") yield JSON.parse(line) as Line;
      }
      if (rest !== "") yield JSON.parse(rest) as Line;
    } finally {
      await reader.cancel().catch(() => {});
    }
  }

  async #send(
    method: string,
    path: string,
    { query = {}, headers = {}, body, raw }: Call,
  ): Promise<Response> {
    const asked = new URLSearchParams();
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) asked.set(name, String(value));
    const suffix = asked.size > 0 ? `?${asked}` : "";
    const json = body === undefined ? null : JSON.stringify(body);
    const answer = await this.#fetch(`${this.#base}${path}${suffix}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(json !== null && { "content-type": "application/json" }),
        ...headers,
      },
      ...(json !== null && { body: json }),
      // What is streamed is sent while it is read.
      ...(raw !== undefined && ({ body: raw, duplex: "half" } as { body: typeof raw })),
    });
    if (!answer.ok) throw await errorOf(answer);
    return answer;
  }
}

async function errorOf(answer: Response): Promise<ApiError> {
  const text = await answer.text().catch(() => "");
  const requestId = answer.headers.get("x-request-id");
  try {
    const { error } = JSON.parse(text) as {
      readonly error: {
        readonly code: string;
        readonly message: string;
        readonly path?: string;
        readonly problems?: readonly Problem[];
      };
    };
    const { code, message, path } = error;
    const problems = error.problems ?? (path === undefined ? [] : [{ path, message }]);
    const said = path === undefined || path === "" ? message : `${path}: ${message}`;
    return new ApiError(answer.status, { code, message: said, problems, requestId });
  } catch {
    const message = `${answer.status} ${answer.statusText}`.trim();
    return new ApiError(answer.status, { code: "unknown", message, problems: [], requestId });
  }
}
