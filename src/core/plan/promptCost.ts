/** What the prompts of a planned run will cost at the target: said by the API, and read by the command. */
export interface PromptCost {
  /** Items whose prompts were counted. */
  readonly counted: number;
  readonly inputTokens: number;
  /** Null: the answers have no bound. */
  readonly outputTokensMost: number | null;
  /** Of the prompts alone; null: there is no price. */
  readonly dollarsLeast: number | null;
  /** With the longest answers; null: they have no bound, or there is no price. */
  readonly dollarsMost: number | null;
}
