/** Shapes of the API's answers about named targets. */
import { z } from "@hono/zod-openapi";
import { TARGET_NAME, TARGET_NAME_RULE } from "../core/target/targetSettings.ts";

const amount = z.number().nullable();

const limitsSchema = z.object({ perSecond: amount, tokensPerSecond: amount, lanes: amount });

/** A target as everybody sees it. */
export const targetViewSchema = z
  .object({
    name: z.string(),
    requests: z.string().nullable(),
    burst: z.int().nullable(),
    tokens: z.string().nullable(),
    maxParallelism: z.int().nullable(),
    reserve: z.number(),
    createdAt: z.iso.datetime(),
    why: z.string().openapi({ description: "one sentence: the limit in force, why, and who shares it" }),
    limits: limitsSchema.openapi({
      description:
        "in force for all together; null where nothing limits; below the configured ones after 429s",
    }),
    pausedUntil: z.iso.datetime().nullable(),
    reservedPerSecond: amount.openapi({ description: "what programs that are not Weir may use now" }),
    holders: z
      .array(
        z.object({
          run: z.string(),
          weight: z.number(),
          share: limitsSchema.openapi({ description: "what the run may be using at most" }),
          wants: limitsSchema.openapi({ description: "what it can use; null: all that it can get" }),
          waiting: z.boolean().openapi({ description: "it waits for what others still hold" }),
        }),
      )
      .readonly(),
    runs: z.array(z.string()).readonly().openapi({ description: "runs that name it and have not ended" }),
  })
  .openapi("Target");

export const permitsAnswerSchema = z
  .object({
    sendInMs: z.array(z.number()).readonly().openapi({
      description:
        "one for each permit: send so long after this answer, at most graceMs later, or not at all",
    }),
    graceMs: z.number(),
    askAgainInMs: z.number().nullable().openapi({
      description: "when to ask for those that are missing; null: none is",
    }),
    epoch: z.int().openapi({ description: "to be sent along when calls under these permits were throttled" }),
  })
  .openapi("Permits");

export const targetParams = z.object({
  name: z.string().regex(TARGET_NAME, { error: TARGET_NAME_RULE }).openapi({ example: "crm" }),
});
