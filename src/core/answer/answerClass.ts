/**
 * What an answer means that nothing in the spec speaks of: its status, and the few words by which APIs say "slow down"
 * or "used up" under a status that means something else.
 *
 * Words count only under the statuses under which they are known, and codes only as whole words: a page that happens
 * to speak of limits is not a limit. What is beyond `CLASS_TEXT_CHARS` is not looked at.
 */
import { CLASS_TEXT_CHARS } from "../limits.ts";

export type AnswerClass =
  /** Asked to slow down: spends no attempt. */
  | "throttled"
  /** Not ready: ask again. */
  | "again"
  /** May work at the next attempt. */
  | "transient"
  /** Refuses whoever asks, or only this item: others tell. */
  | "refused"
  /** The account's credits or quota are used up: nothing works before somebody acts. */
  | "used-up"
  /** The item's own end. */
  | "failed";

export interface UnexpectedAnswer {
  readonly status: number;
  readonly header: (name: string) => string | null;
  /** The beginning of the body; "" where there is none. */
  readonly text: string;
  /** It says plainly how long to wait: Retry-After, or a reset beside a remaining 0. */
  readonly asksToWait: boolean;
  /** An earlier try of the item was not answered, and both carried the same idempotency key. */
  readonly mayBeUnderWay: boolean;
}

/** The class of an answer whose status is not expected. */
export function classOfAnswer(answer: UnexpectedAnswer): AnswerClass {
  const { status, asksToWait } = answer;
  const text = answer.text.slice(0, CLASS_TEXT_CHARS);
  switch (status) {
    case 401:
      return isUsedUp(text) ? "used-up" : "refused";
    case 402:
      if (CARD.test(text)) return "failed";
      return isUsedUp(text) || ACCOUNT.test(text) ? "used-up" : "refused";
    case 403:
      if (isUsedUp(text)) return "used-up";
      return asksToWait || saysThrottled(answer, text) ? "throttled" : "refused";
    case 429:
      return hasCode(text, USED_UP_CODES) ? "used-up" : "throttled";
    case 202:
    case 423:
      return "again";
    case 409:
      return answer.mayBeUnderWay ? "transient" : "failed";
    case 408:
    case 425:
      return "transient";
    case 420:
    case 529:
      return "throttled";
    case 503:
      return asksToWait || saysThrottled(answer, text) ? "throttled" : "transient";
    default:
      return otherClass(answer, text);
  }
}

function otherClass(answer: UnexpectedAnswer, text: string): AnswerClass {
  if (answer.status >= 500) return saysThrottled(answer, text) ? "throttled" : "transient";
  if (answer.status !== 400) return "failed";
  if (saysThrottled(answer, text)) return "throttled";
  return isUsedUp(text) ? "used-up" : "failed";
}

/** True for the words of an account whose credits or quota are used up, in an answer of whatever status. */
export function isUsedUp(text: string): boolean {
  const start = text.slice(0, CLASS_TEXT_CHARS);
  return (
    hasCode(start, USED_UP_CODES) ||
    hasCode(start, USED_UP_SENTENCES) ||
    /\bREQUEST_LIMIT_EXCEEDED\b/.test(start)
  );
}

/** Codes of AWS and S3, Google, Microsoft and their like, as they are written, and the sentences of GitHub and Meta. */
const THROTTLED_CODES =
  /(?<![A-Za-z])(?:Throttl(?:ing|ed)(?:Exception)?|RequestThrottled(?:Exception)?|SlowDown|RequestLimitExceeded|TooManyRequests(?:Exception)?|ProvisionedThroughputExceeded(?:Exception)?|BandwidthLimitExceeded|PriorRequestNotComplete|EC2ThrottledException|(?:user)?[rR]ateLimitExceeded|quotaExceeded|RATE_LIMIT_EXCEEDED|rate_limit(?:ed|_exceeded|_error)|THROTTLED)(?![A-Za-z])/;
const THROTTLED_SENTENCES =
  /\bsecondary rate limit\b|\brate[- ]limit(?:s)?(?: \w+){0,3} (?:exceeded|reached|hit)\b|\bexceed(?:ed|s|ing)(?: \w+){0,4} rate[- ]limits?\b|\babuse detection\b|\brequest limit reached\b|\breduce your request rate\b|\btoo many requests\b/i;

function saysThrottled({ header }: UnexpectedAnswer, text: string): boolean {
  const type = header("x-amzn-errortype") ?? "";
  return THROTTLED_CODES.test(type) || THROTTLED_CODES.test(text) || THROTTLED_SENTENCES.test(text);
}

/** A card that was declined is its owner's: 402 is how payment APIs answer for one item. */
const CARD = /card_(?:error|declined)|decline_code|\bcard (?:was|has been|is) (?:declined|expired)/i;

/** Words of a 402 about whoever calls. */
const ACCOUNT = /\b(?:credits?|quota|billing|balance|subscription|prepaid|top[- ]?up)\b/i;

/** In whatever spelling: insufficient_quota, InsufficientQuota, "Insufficient quota". Letters only. */
const USED_UP_CODES = [
  "insufficientquota",
  "insufficientcredit",
  "insufficientbalance",
  "insufficientaccountbalance",
  "notenoughcredit",
  "outofcredit",
  "nocreditsleft",
  "nocreditsremaining",
  "creditsexhausted",
  "creditlimitexceeded",
  "creditlimitreached",
  "creditbalanceistoolow",
  "quotaexhausted",
  "billinghardlimitreached",
  "billinglimitreached",
  "billingnotactive",
  "spendinglimitreached",
  "spendinglimitexceeded",
] as const;

/** Where the status alone does not say "too fast": the same sentence with a 429 may mean a minute's limit. */
const USED_UP_SENTENCES = [
  "creditsareusedup",
  "creditsusedup",
  "creditsareexhausted",
  "usedallavailablecredits",
  "usedupallyourcredits",
  "quotahasbeenexhausted",
  "quotaisexhausted",
  "quotaisusedup",
  "exceededyourcurrentquota",
  "dailylimitexceeded",
  "dailyquotaexceeded",
  "monthlylimitexceeded",
  "monthlyquotaexceeded",
  "monthlylimitreached",
  "usagelimitreached",
  "usagelimitexceeded",
  "insufficientfunds",
] as const;

function hasCode(text: string, codes: readonly string[]): boolean {
  const letters = text.toLowerCase().replace(/[^a-z]+/g, "");
  return codes.some((code) => letters.includes(code));
}
