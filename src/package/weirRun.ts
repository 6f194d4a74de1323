/**
 * `weir-run`: what a project says that extends Weir with tasks, sources and reducers of its own, and what their code
 * calls. Holds nothing that lanes do not need: the lanes' heap is collected while calls wait (docs/design/runtime.md).
 */
export type { Json } from "../core/spec.ts";
export { drain, readText } from "../tasks/answer/answer.ts";
export { outcomeOfStatus } from "../tasks/http/httpAnswer.ts";
export {
  AnswerUnreadable,
  CallFailed,
  CallRefused,
  CallTimedOut,
  CannotOpen,
  isNoOutcome,
  type TaskOutcome,
} from "../tasks/task.ts";
export { defineWeir, type WeirConfig } from "./config.ts";
export { defineReducer, type OwnReducer } from "./ownReducer.ts";
export { defineSource, type OwnSource, type OwnSourceContext } from "./ownSource.ts";
export {
  defineTask,
  type OwnCallContext,
  type OwnRequest,
  type OwnTask,
  type OwnTaskContext,
  type SettingsMaker,
} from "./ownTask.ts";
