/** Refusals: what cannot be done to a run or a schedule as asked, whoever asks. The API answers them with a status. */
import type { Problem } from "../schema/complaint.ts";

export type RefusalCode =
  | "invalid"
  | "unauthorized"
  | "forbidden"
  | "not_found"
  | "conflict"
  | "too_large"
  | "too_many"
  | "unavailable";

/** The request cannot be answered as asked: what was wrong, where, and what would be accepted. */
export class Refusal extends Error {
  readonly code: RefusalCode;
  readonly path: string | undefined;
  /** Everything that was wrong, where more than one thing was. */
  readonly problems: readonly Problem[];
  constructor(code: RefusalCode, message: string, path?: string, problems: readonly Problem[] = []) {
    super(message);
    this.name = "Refusal";
    this.code = code;
    this.path = path;
    this.problems = problems;
  }
}

/** The refusal of one field of a body: the path and what is said of it make one sentence. */
export function refuseField(field: Problem & { readonly problems?: readonly Problem[] }): Refusal {
  const { path, message, problems = [{ path, message }] } = field;
  return new Refusal("invalid", `${path || "the body"} ${message}`, path || undefined, problems);
}

/** The refusal of several things whose messages are whole sentences; null where there are none. */
export function refuseAll(problems: readonly Problem[]): Refusal | null {
  const [first] = problems;
  return first === undefined ? null : new Refusal("invalid", first.message, first.path, problems);
}
