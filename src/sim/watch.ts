/** Who wants to see every call and every request of a simulation, as it happens. Times are simulated milliseconds. */
export interface Watch {
  /** A call reaches the target. */
  readonly called?: (atMs: number) => void;
  /** A request reaches the Run. */
  readonly asked?: (atMs: number) => void;
}
