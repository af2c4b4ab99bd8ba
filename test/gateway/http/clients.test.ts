import { describe, expect, it } from "vitest"
import { ProxyAddressInvalidError } from "../../../gateway/errors/gateway.ts"
import { ClientAddresses, clientNetwork } from "../../../gateway/http/clientAddress.ts"
import { ClientRate } from "../../../gateway/http/clientRate.ts"

describe("ClientAddresses", () => {
  const addresses = new ClientAddresses(["127.0.0.1", "10.0.0.0/8", "fd00::/8"])

  it.each([
    ["a peer that is no proxy, whatever it says", "192.0.2.9", "198.51.100.1", "192.0.2.9"],
    ["what a proxy says", "127.0.0.1", "198.51.100.1", "198.51.100.1"],
    ["the last that is no proxy", "10.1.2.3", "203.0.113.7, 198.51.100.1, 10.9.9.9", "198.51.100.1"],
    ["a proxy that says nothing", "127.0.0.1", undefined, "127.0.0.1"],
    ["a proxy that says nonsense", "127.0.0.1", "203.0.113.7, <script>", "127.0.0.1"],
    ["a mapped address", "::ffff:127.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"],
    ["an IPv6 proxy", "fd00::1", "2001:db8::1", "2001:db8::1"],
    ["a socket that is gone", undefined, "198.51.100.1", ""],
  ])("tells %s", (_what, peer, forwarded, expected) => {
    expect(addresses.of(peer, forwarded)).toBe(expected)
  })

  it.each(["", "proxy.test", "10.0.0.0/33", "10.0.0.0/8/8", "::1/129", "10.0.0.0/-1"])(
    "refuses the proxy %j",
    (text) => {
      expect(() => new ClientAddresses([text])).toThrow(ProxyAddressInvalidError)
    },
  )
})

describe("clientNetwork", () => {
  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:DB8:0001:2::9", "2001:db8:1:2"],
    ["2001:db8::1", "2001:db8:0:0"],
    ["::1", "0:0:0:0"],
    ["fe80::1%eth0", "fe80:0:0:0"],
    ["64:ff9b::192.0.2.1", "64:ff9b:0:0"],
  ])("puts %s into %s", (address, network) => {
    expect(clientNetwork(address)).toBe(network)
  })
})

describe("ClientRate", () => {
  it("lets a burst through, then so many a second, and says how long to wait", () => {
    let nowMs = 0
    const rate = new ClientRate({ perSecond: 2, burst: 3, nowMs: () => nowMs })
    const take = (): number => rate.take("a")

    expect([take(), take(), take(), take()]).toEqual([0, 0, 0, 1])
    expect(rate.take("b")).toBe(0)
    nowMs = 499
    expect(take()).toBe(1)
    nowMs = 500
    expect([take(), take()]).toEqual([0, 1])
    nowMs = 3_600_000
    expect([take(), take(), take(), take()]).toEqual([0, 0, 0, 1])
  })

  it("forgets those that asked longest ago when there are too many", () => {
    const rate = new ClientRate({ perSecond: 0.001, burst: 1, nowMs: () => 0, mostClients: 2 })
    expect(rate.take("a")).toBe(0)
    expect(rate.take("b")).toBe(0)
    expect(rate.take("a")).toBe(1000)
    expect(rate.take("c")).toBe(0)
    expect(rate.take("b")).toBe(0)
  })

  it("counts nothing at rate 0", () => {
    const rate = new ClientRate({ perSecond: 0, burst: 1 })
    expect([rate.take("a"), rate.take("a")]).toEqual([0, 0])
  })
})
