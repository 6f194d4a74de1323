/**
 * Why a call had no answer, as far as somebody can tell. The runtime of a machine of one's own says "Network connection
 * lost" or "internal error" whatever happened; the process that embeds it can look (`cli/runtime/reach.ts`). Deployed nobody can.
 */
import { describeNetworkFault } from "../faults.ts";

/** What was seen of a server. */
export type Reach =
  /** It takes connections: who had no answer lost a connection. */
  | {
      readonly kind: "reached";
      readonly message: null;
      /** At [::1], where the runtime does not look for "localhost". */
      readonly isElsewhere?: true;
    }
  /** It takes no connection, whatever is called there. */
  | { readonly kind: "unreached"; readonly message: string }
  /** There is no such name: a mistake, or a name server in trouble where the name was known before. */
  | { readonly kind: "no-name"; readonly message: string }
  /** It takes connections, and no call can be made over them: TLS or its certificate is in the way. */
  | { readonly kind: "unusable"; readonly message: string };

/** Looks for the server of a URL; null: nobody can. Never rejects. */
export type LookFor = (url: string) => Promise<Reach | null>;

/** Where nobody can look. */
export const unknownReach: LookFor = async () => null;

/** The binding of the embedding process: a GET with the server as query. */
export function lookBy(binding: { fetch(url: string): Promise<Response> }): LookFor {
  return async (url) => {
    try {
      const { hostname, port, protocol } = new URL(url);
      const isTls = protocol === "https:";
      const query = new URLSearchParams({
        host: hostname,
        port: port === "" ? (isTls ? "443" : "80") : port,
        tls: String(isTls),
      });
      const answer = await binding.fetch(`http://reach/?${query}`);
      return answer.ok ? ((await answer.json()) as Reach) : null;
    } catch {
      return null;
    }
  };
}

/** What the runtime says of a connection that was made and then lost. */
const LOST = /^network connection lost\.?$|^internal error$|^$/i;

export interface NoAnswer {
  readonly message: string;
  /** See `TaskOutcome`. */
  readonly isUnreached: Unreached;
}

/** No connection was made, so no item had a part in it; "name": only where the server was reached before. */
export type Unreached = boolean | "name";

/** What a call without an answer met: a sentence, and whether a connection was made. */
export function explain(fault: unknown, url: string, reach: Reach | null): NoAnswer {
  if (reach !== null && reach.kind !== "reached") {
    const isUnreached = reach.kind === "no-name" ? "name" : reach.kind === "unreached";
    return { message: reach.message, isUnreached };
  }
  const said = describeNetworkFault(fault);
  if (!LOST.test(said)) return { message: said, isUnreached: false };
  const { host } = new URL(url);
  const message =
    reach === null
      ? `no answer from ${host}: the connection failed or was lost, and the platform does not say why`
      : `the connection to ${host} was closed before an answer came`;
  return { message, isUnreached: false };
}
