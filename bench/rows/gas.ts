import { generateP256Key, toHex } from "../../client/index.ts"
import { anvilLedger } from "../../test/helpers/anvil.ts"
import { nowSeconds } from "../../test/helpers/fleet.ts"
import { measurePeerGas } from "../peers/chain.ts"
import { row } from "../row.ts"
import type { GroupOptions, Measured } from "../row.ts"

const SIZES = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000] as const
const LIST = 100

/** What registering and revoking cost, against the size of a batch, beside ERC-1056 and EAS on the same node. */
export async function gas({ quick }: GroupOptions): Promise<Measured> {
  const net = await anvilLedger()
  try {
    const maker = await net.admit("Acme Works")
    const issuer = await generateP256Key()
    await maker.addKey({ purpose: "issuer", signer: issuer })
    const register = async (size: number): Promise<number> => {
      const root = toHex(crypto.getRandomValues(new Uint8Array(32)))
      const notAfter = nowSeconds() + 1e9
      const { transaction } = await maker.registerBatch({ root, size, notAfter, issuerKeyId: issuer.keyId })
      return Number(transaction?.gasUsed ?? 0n)
    }
    await register(1) // a manufacturer's first entry costs more
    const registered: [size: number, gas: number][] = []
    for (const size of SIZES) registered.push([size, await register(size)])
    const revoked: [count: number, gas: number][] = []
    for (const count of [1, 16, 256]) {
      // Neighbours from a word's beginning, each time in a word that no one has used.
      const first = 256 * (1 + revoked.length)
      const places = Array.from({ length: count }, (_, i) => first + i)
      const { transactions } = await maker.revokePlaces(SIZES.length + 1, places, 1)
      revoked.push([count, transactions.reduce((sum, { gasUsed }) => sum + Number(gasUsed), 0)])
    }
    const one = await maker.revoke([{ subject: toHex(crypto.getRandomValues(new Uint8Array(32))) }], { reason: 1 })
    const ofOne = Number(one.transactions[0]?.gasUsed ?? 0n)
    const peer = await measurePeerGas(net.url, quick ? 3 : 20, LIST)

    const millionth = (registered.find(([size]) => size === 1_000_000)?.[1] ?? Number.NaN) / 1_000_000
    const neighbours = (revoked.at(-1)?.[1] ?? Number.NaN) / 256
    const rows = [
      row("register a device, in a batch of 1,000,000", millionth, "gas", {
        peers: [
          { name: "ERC-1056, setAttribute", value: peer.erc1056.register },
          { name: "EAS, attest", value: peer.eas.register },
          { name: `EAS, multiAttest of ${LIST}`, value: peer.eas.registerInList },
        ],
      }),
      row("revoke one device", ofOne, "gas", {
        peers: [
          { name: "ERC-1056, revokeAttribute", value: peer.erc1056.revoke },
          { name: "EAS, revoke", value: peer.eas.revoke },
        ],
      }),
      row("revoke a device, with 255 neighbours", neighbours, "gas", {
        peers: [{ name: `EAS, multiRevoke of ${LIST}`, value: peer.eas.revokeInList }],
      }),
    ]
    const ends = [1, 10_000_000] as const
    const flat = (value: number) => ends.map((x): [number, number] => [x, value])
    const plots = [
      {
        title: "Gas to register a device, against the size of its batch",
        x: { label: "devices in a batch", log: true },
        y: { label: "gas a device", log: true },
        series: [
          { name: "Fleetroot", points: registered.map(([size, used]): [number, number] => [size, used / size]) },
          { name: "ERC-1056", points: flat(peer.erc1056.register) },
          { name: "EAS, one by one", points: flat(peer.eas.register) },
          { name: `EAS, lists of ${LIST}`, points: flat(peer.eas.registerInList) },
        ],
        note: `The peers have no batches: the mean of ${quick ? 3 : 20} devices, and one list of ${LIST}, drawn across.`,
      },
    ]
    return { rows, plots }
  } finally {
    await net.close()
  }
}
