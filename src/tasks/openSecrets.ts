/** Secrets that a spec sends in the clear. */
import type { TaskSpec } from "../core/spec.ts";
import { taskOf } from "./registry.ts";
import { isOpenToOthers } from "./secrets.ts";

/** A warning for each origin that the spec writes out, reached over plain http, that secrets go to. */
export function openSecretWarnings(settings: TaskSpec): readonly string[] {
  const task = taskOf(settings.kind);
  const names = task?.secrets(settings) ?? [];
  if (task === null || names.length === 0) return [];
  const origins = task.urls(settings).flatMap((text) => {
    const url = URL.parse(text);
    return url !== null && isOpenToOthers(url) ? [url.origin] : [];
  });
  const [sent, them] =
    names.length === 1 ? [`secret ${names[0]} goes`, "it"] : [`secrets ${names.join(", ")} go`, "them"];
  return [...new Set(origins)].map(
    (origin) =>
      `${sent} to ${origin} over plain http, where others on the way can read ${them}: https hides ${them}`,
  );
}
