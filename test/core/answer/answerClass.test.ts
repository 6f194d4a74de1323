import { describe, expect, it } from "vitest";
import {
  type AnswerClass,
  classOfAnswer,
  type UnexpectedAnswer,
} from "../../../src/core/answer/answerClass.ts";

function classOf(status: number, of: Partial<UnexpectedAnswer> = {}): AnswerClass {
  return classOfAnswer({
    status,
    header: () => null,
    text: "",
    asksToWait: false,
    mayBeUnderWay: false,
    ...of,
  });
}

describe("the class of an answer", () => {
  it.each<[number, AnswerClass]>([
    [202, "again"],
    [302, "failed"],
    [400, "failed"],
    [401, "refused"],
    [402, "refused"],
    [403, "refused"],
    [404, "failed"],
    [408, "transient"],
    [409, "failed"],
    [410, "failed"],
    [420, "throttled"],
    [422, "failed"],
    [423, "again"],
    [425, "transient"],
    [429, "throttled"],
    [500, "transient"],
    [502, "transient"],
    [503, "transient"],
    [504, "transient"],
    [529, "throttled"],
  ])("of a bare %i is %s", (status, expected) => {
    expect(classOf(status)).toBe(expected);
  });

  it.each<[number, AnswerClass]>([
    [403, "throttled"],
    [503, "throttled"],
    [429, "throttled"],
    [401, "refused"],
    [404, "failed"],
    [500, "transient"],
  ])("of a %i that says to wait is %s", (status, expected) => {
    expect(classOf(status, { asksToWait: true })).toBe(expected);
  });

  it("of a 409 is transient only where the same key may still be at work", () => {
    expect(classOf(409, { mayBeUnderWay: true })).toBe("transient");
  });
});

describe("words that say slow down", () => {
  it.each<[string, number, string]>([
    ["GitHub", 403, '{"message":"You have exceeded a secondary rate limit. Please wait a few minutes."}'],
    ["GitHub's first limit", 403, '{"message":"API rate limit exceeded for user ID 1."}'],
    ["GitHub's older words", 403, '{"message":"You have triggered an abuse detection mechanism."}'],
    [
      "Google",
      403,
      '{"error":{"errors":[{"domain":"usageLimits","reason":"userRateLimitExceeded"}],"code":403}}',
    ],
    ["Google's short window", 403, '{"error":{"errors":[{"reason":"rateLimitExceeded"}]}}'],
    ["Google's quota", 403, '{"error":{"errors":[{"reason":"quotaExceeded"}]}}'],
    ["S3", 503, "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"],
    [
      "AWS JSON",
      400,
      '{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"Rate exceeded"}',
    ],
    ["DynamoDB", 400, '{"__type":"…#ProvisionedThroughputExceededException"}'],
    ["EC2", 503, "<Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors>"],
    ["Kinesis in a 500", 500, '{"__type":"ThrottlingException"}'],
    ["Meta", 400, '{"error":{"message":"(#17) User request limit reached","code":17}}'],
  ])("are those of %s", (_who, status, text) => {
    expect(classOf(status, { text })).toBe("throttled");
  });

  it("may stand in AWS' own header", () => {
    const header = (name: string) => (name === "x-amzn-errortype" ? "ThrottlingException:" : null);
    expect(classOf(400, { header })).toBe("throttled");
  });

  it.each<[number, string, AnswerClass]>([
    [403, '{"message":"Resource not accessible by integration"}', "refused"],
    [403, '{"message":"You may not change the rate limit of this plan"}', "refused"],
    [404, '{"message":"rate limit exceeded"}', "failed"],
    [400, '{"message":"NoThrottlingExceptionHere is not a field"}', "failed"],
    [503, "<h1>Service Unavailable</h1>", "transient"],
    [403, `${"x".repeat(5000)} secondary rate limit`, "refused"],
  ])("are not found where they are none: %i %s", (status, text, expected) => {
    expect(classOf(status, { text })).toBe(expected);
  });
});

describe("words that say used up", () => {
  it.each<[number, string]>([
    [
      429,
      '{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}',
    ],
    [429, '{"error":{"code":"billing_hard_limit_reached"}}'],
    [403, '{"error":{"code":"InsufficientQuota"}}'],
    [
      402,
      '{"error":{"message":"Insufficient credits. Add more using https://example.com/credits","code":402}}',
    ],
    [402, '{"error":{"message":"Insufficient Balance"}}'],
    [402, '{"detail":"Your subscription has ended"}'],
    [400, '{"error":{"message":"Your credit balance is too low to access the API."}}'],
    [401, '{"detail":{"status":"quota_exceeded","message":"Your monthly quota exceeded: quota exhausted"}}'],
    [403, '{"error":{"errors":[{"reason":"dailyLimitExceeded"}]}}'],
    [403, '[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]'],
  ])("are known in many spellings: %i %s", (status, text) => {
    expect(classOf(status, { text })).toBe("used-up");
  });

  it.each<[number, string, AnswerClass]>([
    [
      429,
      '{"error":{"message":"You exceeded your current quota, please check your plan","status":"RESOURCE_EXHAUSTED"}}',
      "throttled",
    ],
    [
      402,
      '{"error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds"}}',
      "failed",
    ],
    [400, '{"message":"credit must be a number"}', "failed"],
  ])("are not taken for it: %i %s", (status, text, expected) => {
    expect(classOf(status, { text })).toBe(expected);
  });
});
