/**
 * Redirects, followed by hand: the request that an answer asks for next. A request to another origin carries no
 * secret and no credential header.
 */
import { isCredentialHeader } from "../../core/template/headerTemplate.ts";
import { hideSecrets, type SecretText } from "../../core/template/template.ts";
import { CallRefused, type OutgoingRequest } from "../task.ts";
import { statusLine } from "./httpAnswer.ts";

/** True for an answer that names another place. */
export function isRedirect(response: Response): boolean {
  return [301, 302, 303, 307, 308].includes(response.status) && response.headers.has("location");
}

/** The request that a redirect asks for (RFC 9110, 15.4). Throws CallRefused. */
export function redirected(request: OutgoingRequest, response: Response): OutgoingRequest {
  const from = new URL(response.url === "" ? hideSecrets(request.url) : response.url);
  // Called at [::1] in its place (`knownWay.ts`), it still is the spec's host.
  const asked = URL.parse(hideSecrets(request.url));
  if (asked?.hostname === "localhost") from.hostname = asked.hostname;
  const to = URL.parse(response.headers.get("location") ?? "", from);
  if (to === null) throw new CallRefused(`${statusLine(response)} to something that is not a URL`);
  to.username = "";
  to.password = "";
  to.hash = "";
  const becomesGet =
    (response.status === 303 && request.method !== "HEAD") ||
    (response.status <= 302 && request.method === "POST");
  const next = becomesGet ? asGet(request) : request;
  const url: SecretText = [to.href];
  return to.origin === from.origin ? { ...next, url } : forAnotherOrigin({ ...next, url }, to.host);
}

function asGet(request: OutgoingRequest): OutgoingRequest {
  const kept = Object.entries(request.headers).filter(([name]) => !name.startsWith("content-"));
  return { ...request, method: "GET", body: null, headers: Object.fromEntries(kept) };
}

function forAnotherOrigin(request: OutgoingRequest, host: string): OutgoingRequest {
  if (request.body !== null && hasSecret(request.body)) {
    throw new CallRefused(`a redirect to ${host} would take the secret in the body there`);
  }
  const kept = Object.entries(request.headers).filter(
    ([name, text]) => !isCredentialHeader(name) && !hasSecret(text),
  );
  return { ...request, headers: Object.fromEntries(kept) };
}

function hasSecret(text: SecretText): boolean {
  return text.some((piece) => typeof piece !== "string");
}
