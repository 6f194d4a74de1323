/**
 * What stands between this machine and a server: whether its name is known, its port takes connections, and its
 * certificate is trusted. The runtime says only that a call had no answer; the process beside it looks for the reason.
 *
 * It sends no request: a connection, over https a handshake, and closes it. One look at a server serves all who ask
 * within `LOOK_EVERY_MS`, so a thousand lanes that fail together make one connection.
 */
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Reach } from "../../tasks/calls/reach.ts";

const LOOK_EVERY_MS = 1000;
/** A server that takes longer to accept a connection counts as out of reach. */
const CONNECT_MS = 3000;
/** Servers remembered at once. */
const MOST_KNOWN = 1000;

export interface Server {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
}

interface Look {
  readonly atMs: number;
  readonly reach: Promise<Reach>;
}

const known = new Map<string, Look>();

/** The binding of the embedded Worker: the server stands in the query. */
export async function reachBinding(request: { readonly url: string }): Promise<Response> {
  const { searchParams } = new URL(request.url);
  const server = {
    host: searchParams.get("host") ?? "",
    port: Number(searchParams.get("port")),
    isTls: searchParams.get("tls") === "true",
  };
  return Response.json(await reachOf(server));
}

/** Looks for the server, or says what was seen of it a moment ago. Never rejects. */
export function reachOf(server: Server, nowMs = performance.now()): Promise<Reach> {
  const key = `${server.isTls}/${server.host}/${server.port}`;
  const before = known.get(key);
  if (before !== undefined && nowMs - before.atMs < LOOK_EVERY_MS) return before.reach;
  if (known.size >= MOST_KNOWN) known.clear();
  const reach = look(server);
  known.set(key, { atMs: nowMs, reach });
  return reach;
}

async function look({ host, port, isTls }: Server): Promise<Reach> {
  const name = host.replace(/^\[|\]$/g, "");
  const at = `${host}:${port}`;
  try {
    const socket = await opened(connect({ host: name, port }), "connect");
    const isElsewhere = name === "localhost" && socket.remoteFamily === "IPv6" && !isTls;
    socket.destroy();
    if (isElsewhere) return { kind: "reached", message: null, isElsewhere };
  } catch (fault) {
    const code = codeOf(fault);
    if (name === "localhost" && (await isAtIpv6(port))) {
      return { kind: "reached", message: null, isElsewhere: true };
    }
    if (code === "ENOTFOUND") return { kind: "no-name", message: `name not found: ${host}` };
    return { kind: "unreached", message: refusal(code, { host, at }) };
  }
  if (!isTls) return { kind: "reached", message: null };
  try {
    const servername = isIP(name) === 0 ? { servername: name } : {};
    const socket = await opened(connectTls({ host: name, port, ...servername }), "secureConnect");
    socket.destroy();
    return { kind: "reached", message: null };
  } catch (fault) {
    return { kind: "unusable", message: tlsRefusal(fault, at) };
  }
}

/** Servers for developers often listen at [::1] alone, and not every machine's "localhost" leads there. */
async function isAtIpv6(port: number): Promise<boolean> {
  try {
    (await opened(connect({ host: "::1", port }), "connect")).destroy();
    return true;
  } catch {
    return false;
  }
}

function opened<S extends Socket>(socket: S, event: "connect" | "secureConnect"): Promise<S> {
  return new Promise((resolve, reject) => {
    socket.setTimeout(CONNECT_MS, () => socket.destroy(Object.assign(new Error(), { code: "ETIMEDOUT" })));
    socket.once(event, () => resolve(socket));
    socket.on("error", reject);
    socket.once("close", () => reject(Object.assign(new Error(), { code: "ECONNRESET" })));
  });
}

function refusal(code: string, { host, at }: { readonly host: string; readonly at: string }): string {
  switch (code) {
    case "EAI_AGAIN":
      return `name not found: ${host} (the name server did not answer)`;
    case "ECONNREFUSED":
      return `connection refused by ${at}`;
    case "ETIMEDOUT":
      return `no connection to ${at} within ${CONNECT_MS / 1000} s`;
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return `no route to ${at}`;
    case "ECONNRESET":
      return `connection reset by ${at}`;
    default:
      return `no connection to ${at} (${code})`;
  }
}

/** What TLS faults mean, by the codes of Node and OpenSSL. */
const CERTIFICATE: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "it has expired",
  CERT_NOT_YET_VALID: "it is not valid yet",
  DEPTH_ZERO_SELF_SIGNED_CERT: "it is self-signed",
  SELF_SIGNED_CERT_IN_CHAIN: "its chain ends in a self-signed one",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its issuer is not known",
  UNABLE_TO_GET_ISSUER_CERT: "its issuer is not known",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its issuer is not known",
  ERR_TLS_CERT_ALTNAME_INVALID: "it is for another name",
  HOSTNAME_MISMATCH: "it is for another name",
};

function tlsRefusal(fault: unknown, at: string): string {
  const code = codeOf(fault);
  const why = CERTIFICATE[code];
  if (why !== undefined) {
    const trust =
      code === "ERR_TLS_CERT_ALTNAME_INVALID" ? "" : " (NODE_EXTRA_CA_CERTS names a file to trust)";
    return `the certificate of ${at} is not trusted: ${why}${trust}`;
  }
  if (
    code === "ERR_SSL_WRONG_VERSION_NUMBER" ||
    code === "EPROTO" ||
    code === "ERR_SSL_PACKET_LENGTH_TOO_LONG"
  ) {
    return `${at} does not speak TLS: is it http:// rather than https://?`;
  }
  return `TLS handshake with ${at} failed (${code})`;
}

function codeOf(fault: unknown): string {
  const { code } = fault as { readonly code?: unknown };
  return typeof code === "string" ? code : "unknown";
}
