/**
 * Whether a host is public: no private, local, reserved or multicast address, no name that only means something
 * inside a network.
 *
 * The host is given as a URL parser writes it: lower case, IPv4 in four decimals whatever notation it came in,
 * IPv6 in brackets. Deliberately not seen: a public name that resolves to a private address. Workers resolve names
 * outside the caller's network; on a machine of one's own that gap stays, and only a literal host or
 * `allowPrivate` is meant for private targets there.
 */

/** Not reachable as a public unicast address (IANA special-purpose registry), as [network, prefix length]. */
const NOT_PUBLIC_IPV4: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  // Azure's wire server, which hands out what a machine may know of itself.
  ["168.63.129.16", 32],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
];
const LOCAL_NAMES = /(?:^|\.)(?:localhost|local|localdomain|internal|intranet|lan|home|corp|svc|home\.arpa)$/;
const IPV4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;

/** True for a public name or address; `hostname` as `URL.hostname` gives it. */
export function isPublicHost(hostname: string): boolean {
  if (hostname.startsWith("[")) return isPublicIpv6(groupsOf(hostname.slice(1, -1)));
  if (IPV4.test(hostname)) return isPublicIpv4(ipv4Of(hostname));
  const name = hostname.endsWith(".") ? hostname.slice(0, -1) : hostname;
  // A name of one label is looked up in the search domain of the network it is asked from.
  return name.includes(".") && !LOCAL_NAMES.test(name);
}

/** True for this machine itself; `hostname` as `URL.hostname` gives it. */
export function isLoopbackHost(hostname: string): boolean {
  if (hostname === "[::1]") return true;
  if (IPV4.test(hostname)) return hostname.startsWith("127.");
  return /(?:^|\.)localhost\.?$/.test(hostname);
}

function ipv4Of(text: string): number {
  return text.split(".").reduce((address, octet) => address * 256 + Number(octet), 0);
}

function isPublicIpv4(address: number): boolean {
  return !NOT_PUBLIC_IPV4.some(([network, prefixBits]) => {
    const size = 2 ** (32 - prefixBits);
    return Math.floor(address / size) === Math.floor(ipv4Of(network) / size);
  });
}

/** The eight 16-bit groups. */
function groupsOf(text: string): number[] {
  const [head = "", tail] = text.split("::");
  const before = parseGroups(head);
  if (tail === undefined) return before;
  const after = parseGroups(tail);
  const gap = new Array<number>(Math.max(0, 8 - before.length - after.length)).fill(0);
  return [...before, ...gap, ...after];
}

function parseGroups(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}

function isPublicIpv6(groups: readonly number[]): boolean {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups;
  const upperIsZero = a === 0 && b === 0 && c === 0 && d === 0;
  // An IPv4 address inside: mapped (::ffff:0:0/96), NAT64 (64:ff9b::/96), 6to4 (2002::/16).
  if (upperIsZero && e === 0 && f === 0xffff) return isPublicIpv4(g * 65_536 + h);
  if (a === 0x64 && b === 0xff9b && c === 0 && d === 0 && e === 0 && f === 0) {
    return isPublicIpv4(g * 65_536 + h);
  }
  if (a === 0x2002) return isPublicIpv4(b * 65_536 + c);
  const isGlobalUnicast = a >= 0x2000 && a <= 0x3fff;
  const isDocumentation = (a === 0x2001 && b === 0xdb8) || (a === 0x3fff && b < 0x1000);
  const isProtocolAssignment = a === 0x2001 && b < 0x200;
  return isGlobalUnicast && !isDocumentation && !isProtocolAssignment;
}
