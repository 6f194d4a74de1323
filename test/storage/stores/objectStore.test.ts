import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { storeSchema } from "../../../src/schema/storePlaceSchema.ts";
import { objectsSchema } from "../../../src/sources/schemas.ts";
import { type ObjectStore, StoreFault } from "../../../src/storage/stores/objectStore.ts";
import { parseListing } from "../../../src/storage/stores/s3Listing.ts";
import { S3Store } from "../../../src/storage/stores/s3Store.ts";
import { openStore } from "../../../src/storage/stores/storePlace.ts";
import { S3Double } from "../../support/s3Store.ts";

const ODD = [
  "in/a b+c.json",
  "in/é&<x>.json",
  "in/10%.json",
  "in/(1)'!*.json",
  "in/~_-..json",
  "in/sub/deep.json",
];

describe("a store that speaks S3", () => {
  let double: S3Double;
  let store: ObjectStore;

  beforeAll(async () => {
    double = await new S3Double({ pageKeys: 4 }).start();
    for (const key of [...ODD, "other/x.json"]) double.put(key, `content of ${key}`);
    store = new S3Store({ ...double.store, region: "auto", ...credentials(double) });
  });
  afterAll(() => double.close());

  const credentials = ({ accessKeyId, secretAccessKey }: S3Double) => ({ accessKeyId, secretAccessKey });
  const never = new AbortController().signal;
  const all = async (limit: number) => {
    const keys: string[] = [];
    for (let after: string | null = null; ; ) {
      const page = await store.list({ prefix: "in/", after, limit });
      keys.push(...page.objects.map((object) => object.key));
      after = page.next;
      if (after === null) return keys;
    }
  };

  test.each([1, 3, 100])(
    "lists every key below the prefix once, %i at a time, whatever is in it",
    async (limit) => {
      expect((await all(limit)).sort()).toEqual([...ODD].sort());
    },
  );

  test.each(ODD)("reads %s", async (key) => {
    expect(await new Response(await store.get(key, never)).text()).toBe(`content of ${key}`);
  });

  test("tells an object that is not there from a store that refuses", async () => {
    expect(await store.get("in/none", never)).toBeNull();
    const place = { ...double.store, region: "auto" };
    const wrong = new S3Store({ ...place, ...credentials(double), secretAccessKey: "wrong" });
    const fault = await wrong.list({ prefix: "", after: null, limit: 1 }).catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(StoreFault);
    expect(fault).toMatchObject({
      message: "listing the bucket: the store answers 403 SignatureDoesNotMatch",
      isForGood: true,
    });
    double.fault = () => 503;
    const busy = await store.get("in/none", never).catch((error: unknown) => error);
    double.fault = () => null;
    expect(busy).toMatchObject({
      message: "reading the object: the store answers 503 SlowDown",
      isForGood: false,
    });
  });

  test("is not opened without its secrets", () => {
    const place = { binding: "BUCKET", store: storeSchema.parse(double.store) };
    const opened = openStore(place, {}, (name) => (name === "S3_KEY" ? "x" : null));
    expect(opened).toEqual({
      kind: "unreachable",
      message: "secret S3_SECRET is missing: set WEIR_SECRET_S3_SECRET",
    });
    expect(openStore({ binding: "EXPORTS", store: null }, {}, () => null)).toEqual({
      kind: "unreachable",
      message: "there is no R2 binding named EXPORTS",
    });
  });
});

describe("a listing", () => {
  const page = (inner: string) =>
    `<ListBucketResult><EncodingType>url</EncodingType>${inner}</ListBucketResult>`;
  const entry = (key: string) => `<Contents><Key>${key}</Key><Size>1</Size><ETag>"e"</ETag></Contents>`;

  test.each([
    ["a+b%2Fc", "a b/c"],
    ["a&amp;&#65;&#x42;&apos;", "a&AB'"],
    ["&#99999999999;", "&#99999999999;"],
    ["&#x110000;&#1114112;", "&#x110000;&#1114112;"],
    ["&unknown;", "&unknown;"],
  ])("has the key %s as %s", (key, read) => {
    expect(parseListing(page(entry(key)))?.objects).toEqual([{ key: read, size: 1, etag: "e" }]);
  });

  test.each([
    ["a key that is not percent-encoded", page(entry("%zz"))],
    ["an entry without a key", page("<Contents><Size>1</Size></Contents>")],
    ["an entry without a size", page("<Contents><Key>a</Key></Contents>")],
    ["another document", "<html><Contents></Contents></html>"],
  ])("with %s is not one", (_, xml) => {
    expect(parseListing(xml)).toBeNull();
  });

  test.each(["<Contents>", "<Contents><Key>", "<Contents><Key>a", "<ETag>", "&#", "&#9"])(
    "is read once, however often it says %s",
    (piece) => {
      // Eight megabytes of it: looking for an end again and again would take longer than all tests.
      expect(parseListing(page(piece.repeat(8_000_000 / piece.length)))?.objects).toEqual([]);
    },
  );
});

describe("source objects", () => {
  const store = { endpoint: "https://s3.example.com", bucket: "b", accessKeyId: "K", secretAccessKey: "S" };
  test.each([
    [{ prefix: "in/", store }, true],
    [{ prefix: "", store }, true],
    [{ prefix: "in/" }, true],
    [{ prefix: "", binding: "EXPORTS" }, true],
    [{ prefix: "" }, false],
    [{ prefix: "ru" }, false],
    [{ prefix: "runs/r_1/" }, false],
    [{ prefix: "in/", store: { ...store, endpoint: "https://s3.example.com/b" } }, false],
    [{ prefix: "in/", store: { ...store, endpoint: "https://me:pw@s3.example.com" } }, false],
    [{ prefix: "in/", store: { ...store, secretAccessKey: "wJalrXUtnFEMI/K7MDENG" } }, false],
  ])("%j is accepted: %s", (given, accepted) => {
    expect(objectsSchema.safeParse({ kind: "objects", ...given }).success).toBe(accepted);
  });
});
