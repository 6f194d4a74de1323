/** An expected "no" of the storage: what was wrong, where, and what would be accepted. */
export interface Refusal {
  readonly kind: "refused";
  /** As in the table of errors: `invalid` is a 400, `too_large` a 413 whose message carries the number. */
  readonly code: "invalid" | "too_large";
  readonly path: string;
  readonly message: string;
}
