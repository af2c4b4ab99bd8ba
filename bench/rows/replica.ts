import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { generateP256Key, httpRpc, Replica, toHex } from "../../client/index.ts"
import { openSqliteReplicaStore } from "../../client/node/index.ts"
import { anvilLedger } from "../../test/helpers/anvil.ts"
import { nowSeconds } from "../../test/helpers/fleet.ts"
import { row } from "../row.ts"
import type { GroupOptions, Measured } from "../row.ts"
import { randomPlaces } from "../worlds/fleet.ts"

const SIZE = 10_000

/** A replica from nothing over HTTP, and one that starts again with what it has on disk. */
export async function replica({ quick }: GroupOptions): Promise<Measured> {
  const batches = quick ? 10 : 100
  const each = 100
  const net = await anvilLedger()
  const folder = await mkdtemp(join(tmpdir(), "fleetroot-bench-"))
  try {
    const { deployment } = net
    const maker = await net.admit("Acme Works")
    const issuer = await generateP256Key()
    await maker.addKey({ purpose: "issuer", signer: issuer })
    const notAfter = nowSeconds() + 1e9
    for (let series = 1; series <= batches; series++) {
      const root = toHex(crypto.getRandomValues(new Uint8Array(32)))
      await maker.registerBatch({ root, size: SIZE, notAfter, issuerKeyId: issuer.keyId, series })
      // Half by their bits, half by their hashes: as a fleet is revoked in lots and one by one.
      await maker.revokePlaces(series, randomPlaces(each / 2, SIZE), 1)
      const subjects = Array.from({ length: each / 2 }, () => ({
        subject: toHex(crypto.getRandomValues(new Uint8Array(32))),
      }))
      await maker.revoke(subjects, { reason: 1 })
    }
    await net.pass(10)
    const path = join(folder, "replica.sqlite")
    const open = async (): Promise<Replica> =>
      Replica.open({
        deployment,
        rpc: httpRpc(net.url),
        store: await openSqliteReplicaStore(path),
        now: () => net.clock,
      })
    const measure = async (): Promise<{ seconds: number; cpu: number; entries: number }> => {
      const [before, started] = [process.threadCpuUsage(), performance.now()]
      const one = await open()
      const { entries } = await one.sync()
      const seconds = (performance.now() - started) / 1000
      const { user, system } = process.threadCpuUsage(before)
      if ([...one.head.batches(maker.manufacturerId)].length !== batches) throw new Error("batches are missing")
      await one.close()
      return { seconds, cpu: (user + system) / 1e6, entries }
    }
    const first = await measure()
    const again = await measure()
    const what = `${batches} batches of ${SIZE.toLocaleString("en-US")}, ${(batches * each).toLocaleString("en-US")} revocations`
    return [
      row(`replica from nothing over HTTP: ${what}`, first.seconds, "s", { atMost: 10 }),
      row(`replica from nothing: processor time of this side`, first.cpu, "s"),
      row(`replica started again: ${what}`, again.seconds, "s", { atMost: 1 }),
      row(`replica started again: processor time of this side`, again.cpu, "s"),
      row(`replica: entries of the log`, first.entries, "entries"),
    ]
  } finally {
    await net.close()
    await rm(folder, { recursive: true, force: true })
  }
}
