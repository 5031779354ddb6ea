import { lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { Agent, fetch } from 'undici';

/** A network that teams' connections may lead to though it is not public: an address and the bits that count. */
export type Network = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** The host's name stands for an address that Ebb does not send to. */
export class AddressNotAllowedError extends Error {
  override name = 'AddressNotAllowedError';
}

/** Reads `10.0.0.0/8,fd00::/8`. Throws an Error that says what is wrong. */
export function parseNetworks(text: string): Network[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      if (ipaddr.isValidCIDR(part)) return ipaddr.parseCIDR(part);
      throw new Error(`${part} is no network. Write its address and length, such as 10.0.0.0/8.`);
    });
}

/**
 * Whether a team may make Ebb send to this address: every public one, and what the operator allowed. Not public is what
 * the registries of IANA keep for special purposes: this machine, private networks, a cloud's metadata service, and what
 * embeds such an address (https://www.iana.org/assignments/iana-ipv4-special-registry).
 */
export function isAllowedAddress(address: string, allowed: readonly Network[]): boolean {
  const parsed = ipaddr.process(address);
  if (parsed.range() === 'unicast') return true;
  return allowed.some(([network, bits]) => network.kind() === parsed.kind() && parsed.match([network, bits]));
}

/**
 * A `fetch` for addresses that teams choose. The name is resolved once, each address is judged, and the connection goes to
 * one that was: a name that stands for another address a moment later changes nothing. Rejects with a TypeError whose cause
 * is an AddressNotAllowedError.
 */
export function createGuardedFetch(allowed: readonly Network[]): typeof globalThis.fetch {
  const guardedLookup: LookupFunction = (name, options, callback) => {
    lookup(name, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '');
      const good = addresses.filter(({ address }) => isAllowedAddress(address, allowed));
      const [first] = good;
      if (!first) return callback(new AddressNotAllowedError(refusal), '');
      if (options.all) callback(null, good);
      else callback(null, first.address, first.family);
    });
  };
  const dispatcher = new Agent({ connect: { lookup: guardedLookup } });
  const guarded = async (input: string | URL, init: object = {}) => {
    // A literal address is connected to without a lookup.
    const host = new URL(input).hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) !== 0 && !isAllowedAddress(host, allowed))
      throw new TypeError('fetch failed', { cause: new AddressNotAllowedError(refusal) });
    return await fetch(input, { ...init, dispatcher });
  };
  return guarded as unknown as typeof globalThis.fetch;
}

// Without the address: it would tell a stranger what stands in the operator's network.
const refusal =
  'its address is not a public one. Whoever operates Ebb can allow its network with EBB_SOURCE_HOST_NETWORKS';
