/** The cookies of one item's redirects: what an answer sets goes along on its later hops. */
import { CookieJar } from "../../core/answer/cookieJar.ts";
import { hideSecrets } from "../../core/template/template.ts";
import type { OutgoingRequest } from "../task.ts";

export class Cookies {
  readonly #jar = new CookieJar();

  /** Takes in what the answer to `request` sets. */
  take(request: OutgoingRequest, response: Response): void {
    const from = URL.parse(hideSecrets(request.url));
    if (from !== null) this.#jar.take(from, response.headers.getSetCookie());
  }

  /** The request with its cookies, after those that the spec gives. */
  dress(request: OutgoingRequest): OutgoingRequest {
    const to = URL.parse(hideSecrets(request.url));
    const cookies = to === null ? null : this.#jar.header(to);
    if (cookies === null) return request;
    const own = request.headers.cookie;
    const cookie = own === undefined ? [cookies] : [...own, `; ${cookies}`];
    return { ...request, headers: { ...request.headers, cookie } };
  }
}
