/**
 * A TCP socket of the platform in the shape that the PostgreSQL client expects of Node's.
 *
 * Invariant: "close" means that the server has closed its side. A backend keeps its socket until it has exited, so
 * after "close" the connection is gone from the server's count. `end` therefore closes our side only and reads on.
 */

import { connect } from "cloudflare:sockets";
import { EventEmitter } from "node:events";

export class PostgresSocket extends EventEmitter {
  writable = false;
  readonly #usesTls: boolean;
  #socket: Socket | null = null;
  #reader: ReadableStreamDefaultReader<Uint8Array> | null = null;
  #writer: WritableStreamDefaultWriter<Uint8Array> | null = null;
  /** Pieces of one message, gathered to leave together. */
  #corked: Buffer[] | null = null;
  #isEnding = false;
  #isClosed = false;

  constructor(usesTls: boolean) {
    super();
    this.#usesTls = usesTls;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Emits "connect", then "data" for what arrives, and "close" at the end; "error" before it where one led to it. */
  connect(port: number, hostname: string): void {
    void this.#run(port, hostname);
  }

  write(data: Uint8Array | string, whenSent?: (error?: Error) => void): boolean {
    const bytes = Buffer.from(data as Uint8Array);
    if (this.#corked !== null) this.#corked.push(bytes);
    else this.#send(bytes, whenSent);
    return true;
  }

  cork(): void {
    this.#corked ??= [];
  }

  uncork(): void {
    const pieces = this.#corked;
    this.#corked = null;
    if (pieces !== null && pieces.length > 0) this.#send(Buffer.concat(pieces));
  }

  /** Nothing more will be sent. The server reads that as our leaving, ends, and "close" follows. */
  end(): void {
    if (this.#isEnding || this.#isClosed) return;
    this.#isEnding = true;
    this.writable = false;
    // A socket that refuses to be closed is broken: reading it tells.
    this.#writer?.close().catch(() => {});
  }

  destroy(): void {
    this.end();
  }

  /** Gives the socket up without the server's word. */
  abandon(): void {
    this.end();
    this.#socket?.close().catch(() => {});
    this.#close();
  }

  /** Called between two reads, when the server has agreed to TLS. */
  startTls(options: { readonly servername?: string }): void {
    this.#reader?.releaseLock();
    this.#writer?.releaseLock();
    const { servername } = options;
    const upgraded = this.#socket?.startTls(
      servername === undefined ? {} : { expectedServerHostname: servername },
    );
    if (upgraded !== undefined) this.#hold(upgraded);
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  async #run(port: number, hostname: string): Promise<void> {
    try {
      const secureTransport = this.#usesTls ? "starttls" : "off";
      this.#hold(connect({ hostname, port }, { allowHalfOpen: true, secureTransport }));
      await this.#socket?.opened;
      this.writable = !this.#isEnding;
      this.emit("connect");
      await this.#read();
    } catch (fault) {
      this.writable = false;
      if (!this.#isClosed) this.emit("error", fault);
    }
    this.abandon();
  }

  async #read(): Promise<void> {
    for (;;) {
      // After an upgrade to TLS it is another reader.
      const piece = await this.#reader?.read();
      if (piece === undefined || piece.done) return;
      this.emit("data", Buffer.from(piece.value));
    }
  }

  #hold(socket: Socket): void {
    this.#socket = socket;
    this.#reader = socket.readable.getReader();
    this.#writer = socket.writable.getWriter();
    // The end is told by reading; a rejection here says the same once more.
    socket.closed.catch(() => {});
    this.#writer.closed.catch(() => {});
  }

  #send(bytes: Buffer, whenSent?: (error?: Error) => void): void {
    const sent = this.#writer?.write(bytes) ?? Promise.reject(new Error("the socket is not open"));
    sent.then(
      () => whenSent?.(),
      (error: Error) => whenSent?.(error),
    );
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.writable = false;
    this.emit("close");
  }
}
