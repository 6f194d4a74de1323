/** What of an answer stands beside a row's value: where it came from, and the headers that the spec keeps. */
import { MAX_KEPT_HEADER_CHARS } from "../../core/limits.ts";
import { cutText } from "../../core/outsideText.ts";

export interface Beside {
  readonly url?: string;
  readonly headers?: { readonly [name: string]: string };
}

/** `asked`: the URL that the item's request was for, secrets hidden; `answered`: the one that answered. */
export function besideOf(
  response: Response,
  of: {
    readonly keepHeaders: readonly string[];
    readonly asked: string;
    readonly answered: string;
    readonly mask: (text: string) => string;
  },
): Beside {
  const { mask } = of;
  const kept = of.keepHeaders.flatMap((name) => {
    const value = response.headers.get(name);
    return value === null ? [] : [[name.toLowerCase(), cutText(mask(value), MAX_KEPT_HEADER_CHARS)]];
  });
  return {
    ...(of.answered === of.asked ? {} : { url: cutText(mask(of.answered), MAX_KEPT_HEADER_CHARS) }),
    ...(kept.length === 0 ? {} : { headers: Object.fromEntries(kept) as { [name: string]: string } }),
  };
}
