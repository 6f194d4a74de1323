/**
 * Idempotency keys: the first body sent with a key makes a run; the same body again finds that run,
 * another body is told so. Claiming is one statement, so two requests at once cannot both be first.
 */

export type Claim =
  /** The key is this caller's: it creates the run. */
  | { readonly kind: "new" }
  /** The same body was sent before and made this run (which may not be complete yet). */
  | { readonly kind: "same"; readonly run: string }
  /** The key was used with another body. */
  | { readonly kind: "other" };

/** Claims `key` for `run`. Throws when D1 refuses. */
export async function claimIdempotencyKey(
  db: D1Database,
  claim: {
    readonly key: string;
    /** SHA-256 of the request's body, hex. */
    readonly bodySha256: string;
    readonly run: string;
    /** ISO 8601. */
    readonly createdAt: string;
  },
): Promise<Claim> {
  const inserted = await db
    .prepare(
      `INSERT INTO idempotency_keys (key, body_sha256, run, created_at) VALUES (?1, ?2, ?3, ?4)
       ON CONFLICT DO NOTHING`,
    )
    .bind(claim.key, claim.bodySha256, claim.run, claim.createdAt)
    .run();
  if (inserted.meta.changes > 0) return { kind: "new" };
  const held = await db
    .prepare("SELECT body_sha256 AS bodySha256, run FROM idempotency_keys WHERE key = ?1")
    .bind(claim.key)
    .first<{ bodySha256: string; run: string }>();
  if (held === null || held.run === claim.run) return { kind: "new" };
  return held.bodySha256 === claim.bodySha256 ? { kind: "same", run: held.run } : { kind: "other" };
}

/** Gives a key back after the run could not be created. */
export async function releaseIdempotencyKey(
  db: D1Database,
  claim: { readonly key: string; readonly run: string },
): Promise<void> {
  await db
    .prepare("DELETE FROM idempotency_keys WHERE key = ?1 AND run = ?2")
    .bind(claim.key, claim.run)
    .run();
}
