/** What a spec may say about where a user's objects are. */
import { z } from "zod";
import { about } from "./about.ts";
import { line } from "./fields.ts";

const SECRET = "must be the name of a secret, as in S3_SECRET for the variable WEIR_SECRET_S3_SECRET";
const secretName = z.string({ error: SECRET }).regex(/^[A-Za-z][A-Za-z0-9_]{0,63}$/, { error: SECRET });
const ENDPOINT =
  'must be the store\'s http(s) address without a path, as in "https://s3.eu-central-1.amazonaws.com"';
const BINDING = "must be the name of an R2 binding of the Worker, as in EXPORTS";

/** An S3-compatible store. Its credentials are named, never written out. */
export const storeSchema = z.strictObject({
  endpoint: z
    .string({ error: ENDPOINT })
    .refine(isOrigin, { error: ENDPOINT })
    .meta(about("The store's address, without a path.", "https://s3.eu-central-1.amazonaws.com")),
  bucket: line(255)
    .min(1)
    .regex(/^[^/?#\\]+$/, { error: "must be the name of a bucket, without a slash" })
    .meta(about("The bucket.", "exports")),
  region: line(64)
    .min(1)
    .default("auto")
    .meta(
      about("The region that the signature names.", "eu-central-1", "Most stores other than AWS take any."),
    ),
  accessKeyId: secretName.meta(about("The name of the secret that holds the access key's id.", "S3_KEY_ID")),
  secretAccessKey: secretName.meta(about("The name of the secret that holds the access key.", "S3_SECRET")),
});
export type StoreSettings = z.infer<typeof storeSchema>;

/** The fields of an `ObjectPlace`. */
export const placeFields = {
  binding: z
    .string({ error: BINDING })
    .regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, { error: BINDING })
    .default("BUCKET")
    .meta(about("The R2 binding whose bucket holds the objects.", "EXPORTS")),
  store: storeSchema
    .nullable()
    .default(null)
    .meta(
      about("An S3-compatible store in the place of `binding`.", {
        endpoint: "https://s3.eu-central-1.amazonaws.com",
        bucket: "exports",
        accessKeyId: "S3_KEY_ID",
        secretAccessKey: "S3_SECRET",
      }),
    ),
};

function isOrigin(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return false;
  return url.username === "" && url.password === "" && url.pathname === "/" && url.search + url.hash === "";
}
