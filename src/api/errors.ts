/**
 * Errors of the API: one table from code to HTTP status, one place that builds an error response.
 *
 * Expected refusals are thrown as `Refusal` and land here; everything else that is thrown is a platform fault:
 * it is logged with the request's id and answered 503, never with its own text.
 */
import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import { PROBLEMS_SHOWN } from "../core/limits.ts";
import { Refusal, type RefusalCode, refuseField } from "../runs/refusal.ts";
import { SourceError } from "../sources/source.ts";
import { StorageSilent } from "../storage/bucket/answered.ts";
import { isOfDamagedIndex } from "../storage/index/damagedIndex.ts";
import { BodyBroken } from "../storage/inputs/bodyChunks.ts";
import { StoreFault } from "../storage/stores/objectStore.ts";
import type { ApiEnv } from "./context.ts";

const STATUS = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  too_large: 413,
  too_many: 429,
  unavailable: 503,
} as const satisfies { readonly [code in RefusalCode]: number };

const CODES = Object.keys(STATUS) as [RefusalCode, ...RefusalCode[]];

/** The body of every error. */
export const errorSchema = z
  .object({
    error: z.object({
      code: z.enum(CODES),
      message: z.string(),
      path: z.string().optional().openapi({ description: "The field that was refused, as in the body." }),
      problems: z
        .array(z.object({ path: z.string(), message: z.string() }))
        .readonly()
        .optional()
        .openapi({
          description: `Everything that is wrong with the body, at most ${PROBLEMS_SHOWN}; path and message are those of the first.`,
        }),
      requestId: z.string(),
    }),
  })
  .openapi("Error");

/** Goes into every route's `responses`: any other status carries this body. */
export const errorResponses = {
  default: {
    description: `An error; codes and statuses: ${CODES.map((code) => `${code} ${STATUS[code]}`).join(", ")}.`,
    content: { "application/json": { schema: errorSchema } },
  },
} as const;

const DAMAGED_INDEX =
  "the index is damaged; weir reindex makes it anew from the stored rows, once no other weir has the state folder open";

/** Answers whatever a handler threw. */
export async function answerError(error: Error, c: Context<ApiEnv>): Promise<Response> {
  if (error instanceof Refusal) return errorResponse(c, error);
  if (error instanceof SourceError)
    return errorResponse(c, new Refusal("invalid", error.message, error.path));
  if (error instanceof BodyBroken) return errorResponse(c, new Refusal("invalid", error.message, "body"));
  if (error instanceof StoreFault || error instanceof StorageSilent)
    return errorResponse(c, new Refusal("unavailable", error.message));
  if (error instanceof HTTPException) return errorResponse(c, new Refusal("invalid", error.message));
  console.error(`request ${c.var.requestId} failed:`, error.message);
  const db = c.env.WEIR_GENERATION === undefined ? null : c.env.DB;
  if (await isOfDamagedIndex(error, db)) return errorResponse(c, new Refusal("unavailable", DAMAGED_INDEX));
  return errorResponse(
    c,
    new Refusal("unavailable", "the platform did not answer; the same request may work in a moment"),
  );
}

/** Refuses a request whose parameters do not fit the route: the first complaint, by name. */
export function refuseParameters(error: z.core.$ZodError): never {
  const issue = error.issues[0];
  if (issue?.code === "unrecognized_keys") {
    throw refuseField({ path: issue.keys[0] ?? "", message: "is not a parameter of this path" });
  }
  throw refuseField({ path: issue?.path.join(".") ?? "", message: issue?.message ?? "is not accepted" });
}

function errorResponse(c: Context<ApiEnv>, refusal: Refusal): Response {
  const { code, message, path, problems } = refusal;
  const where = {
    ...(path === undefined ? {} : { path }),
    ...(problems.length === 0 ? {} : { problems }),
  };
  const body: z.infer<typeof errorSchema> = {
    error: { code, message, ...where, requestId: c.var.requestId },
  };
  if (code === "unauthorized") c.header("www-authenticate", "Bearer");
  return c.json(body, STATUS[code]);
}
