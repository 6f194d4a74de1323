/**
 * Planning: a source is cut into chunks outside the Run object, a step at a time, and the Run is told each step.
 * Safe to repeat and to run twice at once: the Run recognises a step that it has.
 */
import type { Env } from "../objects/env.ts";
import { runById } from "../objects/runStub.ts";
import { sourceRegistry } from "../sources/registry.ts";
import { type SourceContext, SourceError } from "../sources/source.ts";
import { again } from "../storage/bucket/again.ts";
import { Spending } from "./spending.ts";

/**
 * Plans a run from where it stands to its end. A source that cannot be used fails the run, which says why.
 * Throws when the platform refuses: the Run offers the rest again.
 */
export async function planRun(env: Env, runId: string): Promise<void> {
  const run = runById(env, runId);
  const spending = new Spending();
  for (;;) {
    const from = await run.planFrom();
    if (from === null) return;
    const { spec, root } = from.settings;
    const source = sourceRegistry[spec.source.kind];
    if (source === undefined) return run.planFailed(`there is no source of kind ${spec.source.kind}`);
    const context: SourceContext = { env, run: root, count: spending.count };
    try {
      const step = await again(
        async () => source.plan(spec.source, spec.chunkSize, from.cursor, context),
        (fault) => fault instanceof SourceError,
      );
      const { chunks, cursor } = step;
      await run.addChunks({ at: from.chunks, chunks, cursor, spent: spending.take() });
    } catch (error) {
      if (error instanceof SourceError) return run.planFailed(error.message);
      throw error;
    }
  }
}
