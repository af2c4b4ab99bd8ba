import { generateP256Key, httpRpc, ProvenLedger, QuorumLedger, RpcLedger, Verifier } from "../../client/index.ts"
import type { Hex, Ledger } from "../../client/index.ts"
import { anvilLedger } from "../../test/helpers/anvil.ts"
import { makeDevice, makeTree, nowSeconds } from "../../test/helpers/fleet.ts"
import { median, row } from "../row.ts"
import type { GroupOptions, Measured } from "../row.ts"
import { compressingFront } from "../worlds/compressingFront.ts"

const BATCHES = 20
const REVOKED = 400

/** What a proof-backed check costs without a replica, beside one believed node and a quorum, over HTTP. */
export async function proofs({ quick }: GroupOptions): Promise<Measured> {
  const rounds = quick ? 9 : 41
  const net = await anvilLedger()
  const { deployment } = net
  const maker = await net.admit("Acme Works")
  const issuer = await generateP256Key()
  await maker.addKey({ purpose: "issuer", signer: issuer })
  const device = await makeDevice({ issuer })
  const others = (): Hex => `0x${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex")}`
  const trees = Array.from({ length: BATCHES }, (_, i) =>
    makeTree(deployment, maker.manufacturerId, i + 1, [
      ...(i === 0 ? [device.certificate.credentialHash] : []),
      ...Array.from({ length: 100 }, others),
    ]),
  )
  const notAfter = nowSeconds() + 1e9
  for (const [i, { root, size }] of trees.entries()) {
    await maker.registerBatch({ root, size, notAfter, issuerKeyId: issuer.keyId, series: i + 1 })
  }
  await maker.revoke(
    Array.from({ length: REVOKED }, () => ({ subject: others() })),
    { reason: 1 },
  )
  await net.pass(10)
  const receipt = (trees[0] as (typeof trees)[0]).receipt(0)

  const fronts = await Promise.all([1, 2, 3].map(() => compressingFront(net.url)))
  const endpoints = fronts.map(({ url }) => httpRpc(url))
  const own = endpoints[0] as (typeof endpoints)[0]

  /** With a fresh ledger each time: nothing is remembered but compiled code. */
  async function measure(open: () => Ledger): Promise<Record<"trips" | "wire" | "raw" | "cpu" | "wall", number>> {
    const found: Record<"trips" | "wire" | "raw" | "cpu" | "wall", number[]> = {
      trips: [],
      wire: [],
      raw: [],
      cpu: [],
      wall: [],
    }
    for (let round = 0; round < rounds; round++) {
      await Promise.all(fronts.map((front) => front.take()))
      const verifier = new Verifier({ ledger: open(), now: () => net.clock })
      const [before, started] = [process.threadCpuUsage(), performance.now()]
      const { status, detail } = await verifier.checkCertificate(device.der, { receipt })
      found.wall.push(performance.now() - started)
      const used = process.threadCpuUsage(before)
      if (status !== "good") throw new Error(`a check says ${status}: ${detail}`)
      const counts = await Promise.all(fronts.map((front) => front.take()))
      found.trips.push(Math.max(...counts.map(({ trips }) => trips)))
      found.wire.push(counts.reduce((sum, { wire }) => sum + wire, 0))
      found.raw.push(counts.reduce((sum, { raw }) => sum + raw, 0))
      found.cpu.push((used.user + used.system) / 1_000)
    }
    const { trips, wire, raw, cpu, wall } = found
    return { trips: median(trips), wire: median(wire), raw: median(raw), cpu: median(cpu), wall: median(wall) }
  }

  const proven = await measure(() => new ProvenLedger({ deployment, rpc: own }))
  const believed = await measure(() => new RpcLedger({ deployment, rpc: own }))
  const quorum = await measure(() => QuorumLedger.proven({ deployment, endpoints, k: 2 }))
  await Promise.all(fronts.map((front) => front.close()))
  await net.close()

  const against = (what: keyof typeof proven) => [
    { name: "one believed node", value: believed[what] },
    { name: "quorum 2 of 3, with proofs", value: quorum[what] },
  ]
  return [
    row("proof-backed check: round trips", proven.trips, "round trips", { atMost: 1, peers: against("trips") }),
    row("proof-backed check: received, of a front that compresses when asked", proven.wire, "bytes", {
      atMost: 20 * 1024,
      peers: against("wire"),
    }),
    row("proof-backed check: received, as Anvil sends it, not compressed", proven.raw, "bytes", {
      peers: against("raw"),
    }),
    row("proof-backed check: processor time", proven.cpu, "ms", { atMost: 15, peers: against("cpu") }),
    row("proof-backed check: time", proven.wall, "ms", { peers: against("wall") }),
  ]
}
