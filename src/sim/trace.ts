/** What happens in a simulation, as it is folded into its trace. */

export const MARK = {
  call: 1,
  sync: 2,
  answer: 3,
  restart: 4,
  death: 5,
  crash: 6,
  steering: 7,
  message: 8,
  clock: 9,
} as const;
