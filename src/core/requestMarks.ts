/**
 * What the embedded Worker writes to its log before a request to the API computes at a stretch, and after. When its
 * only thread hangs or dies between the two, no lane was computing: no item is to blame (`takeover.ts`).
 */
export const REQUEST_COMPUTES = "weir: a request computes";
export const REQUEST_COMPUTED = "weir: a request has computed";
