import { describe, expect, it } from "vitest";
import { isPublicHost } from "../../src/core/publicHost.ts";

const hostname = (host: string): string => new URL(`http://${host}/`).hostname;

describe("a host", () => {
  it.each([
    "example.com",
    "api.example.com.",
    "8.8.8.8",
    "172.32.0.1",
    "100.128.0.1",
    "[2606:4700::1111]",
    "[::ffff:8.8.8.8]",
    "[64:ff9b::808:808]",
    "local.example.com",
  ])("%s is public", (host) => {
    expect(isPublicHost(hostname(host))).toBe(true);
  });

  it.each([
    "localhost",
    "LOCALHOST.",
    "a.localhost",
    "printer.local",
    "metadata.google.internal",
    "router",
    "nas.home.arpa",
    "0.0.0.0",
    "10.1.2.3",
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "168.63.129.16",
    "169.254.169.254",
    "192.88.99.1",
    "kubernetes.default.svc",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[fe80::1]",
    "[ff02::1]",
    "[2001:db8::1]",
    "[2001::1]",
  ])("%s is not public", (host) => {
    expect(isPublicHost(hostname(host))).toBe(false);
  });
});
