import { setTimeout as sleep } from "node:timers/promises"
import { generateP256Key, httpRpc, memoryStore, Replica, Verifier } from "../../client/index.ts"
import { anvilLedger } from "../../test/helpers/anvil.ts"
import { makeDevice, makeTree, nowSeconds } from "../../test/helpers/fleet.ts"
import { median, row } from "../row.ts"
import type { GroupOptions, Measured } from "../row.ts"

const POLL_MS = 100

/** How long after a revocation was sent a verifier refuses the device, against the time between blocks. */
export async function latency({ quick }: GroupOptions): Promise<Measured> {
  const blockSeconds = quick ? [1] : [1, 2, 4]
  const trials = quick ? 1 : 4
  const byNode: [number, number][] = []
  const byReplica: [number, number][] = []
  for (const seconds of blockSeconds) {
    const net = await anvilLedger()
    const maker = await net.admit("Acme Works")
    const issuer = await generateP256Key()
    await maker.addKey({ purpose: "issuer", signer: issuer })
    const devices = await Promise.all(Array.from({ length: 2 * trials }, () => makeDevice({ issuer })))
    const hashes = devices.map(({ certificate }) => certificate.credentialHash)
    const tree = makeTree(net.deployment, maker.manufacturerId, 1, hashes)
    const notAfter = nowSeconds() + 1e9
    await maker.registerBatch({ root: tree.root, size: tree.size, notAfter, issuerKeyId: issuer.keyId, series: 1 })
    await net.pass(1)
    await net.ask("evm_setAutomine", false)
    await net.ask("evm_setIntervalMining", seconds)

    const node = new Verifier({ ledger: net.ledger, maxAgeSeconds: 1e9 })
    const replica = await Replica.open({ deployment: net.deployment, rpc: httpRpc(net.url), store: memoryStore() })
    await replica.sync()
    const stop = new AbortController()
    const following = replica.follow({ signal: stop.signal, intervalMs: POLL_MS })
    const local = new Verifier({ ledger: replica, maxAgeSeconds: 1e9 })
    const found: Record<"node" | "replica", number[]> = { node: [], replica: [] }
    for (let trial = 0; trial < 2 * trials; trial++) {
      const by = trial % 2 === 0 ? "node" : "replica"
      const verifier = by === "node" ? node : local
      const { der } = devices[trial] as (typeof devices)[0]
      const receipt = tree.receipt(trial)
      const before = await verifier.checkCertificate(der, { receipt })
      if (before.status !== "good") throw new Error(`the device is ${before.status} before it is revoked`)
      const started = performance.now()
      const sent = maker.revokePlaces(1, [trial], 1)
      for (;;) {
        const { status } = await verifier.checkCertificate(der, { receipt })
        if (status === "revoked") break
        await sleep(by === "node" ? POLL_MS : 5)
      }
      found[by].push((performance.now() - started) / 1000)
      await sent
    }
    stop.abort()
    await following.catch(() => undefined)
    await replica.close()
    await net.close()
    byNode.push([seconds, median(found.node)])
    byReplica.push([seconds, median(found.replica)])
  }
  const rows = blockSeconds.flatMap((seconds, i) => [
    row(
      `from revocation to refusal, a block each ${seconds} s, asking the node, p50`,
      byNode[i]?.[1] ?? Number.NaN,
      "s",
    ),
    row(
      `from revocation to refusal, a block each ${seconds} s, by a replica, p50`,
      byReplica[i]?.[1] ?? Number.NaN,
      "s",
    ),
  ])
  const plots = [
    {
      title: "From sending a revocation to the first refusal, against the time between blocks",
      x: { label: "seconds between blocks" },
      y: { label: "seconds, median" },
      series: [
        { name: "asking the node", points: byNode },
        { name: "by a replica", points: byReplica },
        {
          name: "the time between blocks",
          points: blockSeconds.map((seconds): [number, number] => [seconds, seconds]),
        },
      ],
      note: `Both look every ${POLL_MS} ms. A revocation counts with its first block; nobody waits for it to be final.`,
    },
  ]
  return { rows, plots }
}
