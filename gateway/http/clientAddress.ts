import { BlockList, isIP, isIPv4 } from "node:net"
import { ProxyAddressInvalidError } from "../errors/gateway.ts"

/** Tells who asks, also through reverse proxies that are known. */
export class ClientAddresses {
  readonly #trusted = new BlockList()
  readonly #trustsAny: boolean

  /**
   * @param trustedProxies Addresses and networks (10.0.0.0/8) whose X-Forwarded-For is believed.
   * @throws ProxyAddressInvalidError
   */
  constructor(trustedProxies: readonly string[] = []) {
    for (const text of trustedProxies) {
      const [address = "", bits, ...rest] = text.split("/")
      const family = isIP(address)
      const longest = family === 4 ? 32 : 128
      const prefix = bits === undefined ? longest : /^\d{1,3}$/.test(bits) ? Number(bits) : -1
      if (family === 0 || rest.length > 0 || prefix < 0 || prefix > longest) {
        throw new ProxyAddressInvalidError({ found: text })
      }
      this.#trusted.addSubnet(address, prefix, family === 4 ? "ipv4" : "ipv6")
    }
    this.#trustsAny = trustedProxies.length > 0
  }

  /** The nearest address that is no trusted proxy's. Whoever is not trusted is believed nothing. */
  of(peer: string | undefined, forwardedFor: string | undefined): string {
    let address = withoutMapping(peer ?? "")
    if (!this.#trustsAny) return address
    const hops = forwardedFor === undefined ? [] : forwardedFor.split(",").slice(-MOST_HOPS)
    while (this.#isTrusted(address)) {
      const hop = withoutMapping(hops.pop()?.trim() ?? "")
      if (isIP(hop) === 0) return address
      address = hop
    }
    return address
  }

  #isTrusted(address: string): boolean {
    const family = isIP(address)
    return family !== 0 && this.#trusted.check(address, family === 4 ? "ipv4" : "ipv6")
  }
}

const MOST_HOPS = 16

/** What counts as one client: an IPv4 address, or an IPv6 network of 64 bits, of which one household has all addresses. */
export function clientNetwork(address: string): string {
  if (isIP(address) !== 6) return address
  const [head = "", tail] = (address.split("%")[0] ?? "").split("::")
  const left = head === "" ? [] : head.split(":")
  const right = tail === undefined || tail === "" ? [] : tail.split(":")
  // An IPv4 address at the end stands for two groups.
  const groups = left.length + right.length + (right.at(-1)?.includes(".") === true ? 1 : 0)
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - groups)
  return [...left, ...Array.from({ length: zeros }, () => "0"), ...right]
    .slice(0, 4)
    .map((group) => group.toLowerCase().replace(/^0+(?=.)/, ""))
    .join(":")
}

/** ::ffff:192.0.2.1, as sockets that serve both families write it. */
function withoutMapping(address: string): string {
  const inner = address.toLowerCase().startsWith("::ffff:") ? address.slice("::ffff:".length) : ""
  return isIPv4(inner) ? inner : address
}
