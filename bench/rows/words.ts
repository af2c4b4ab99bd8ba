import { httpRpc, RpcLedger } from "../../client/index.ts"
import { median, row } from "../row.ts"
import type { GroupOptions, Measured } from "../row.ts"
import { benchFleet, randomHashes, randomPlaces } from "../worlds/fleet.ts"

/** All statuses of a batch by one `words` call over HTTP: asked, decoded, and its set bits compared with the batch's count. */
export async function words({ quick }: GroupOptions): Promise<Measured> {
  const size = quick ? 100_000 : 1_000_000
  const fleet = await benchFleet({ credentialHashes: () => randomHashes(size) })
  const { maker, series, net } = fleet
  const lost = randomPlaces(quick ? 200 : 1_000, size)
  await maker.revokePlaces(series, lost, 1)
  await net.pass(10)

  const ledger = new RpcLedger({ deployment: net.deployment, rpc: httpRpc(net.url) })
  const times: number[] = []
  const own: number[] = []
  for (let round = 0; round < (quick ? 9 : 25); round++) {
    // A view remembers what it was told, so each round has its own.
    const view = await ledger.at("latest")
    const batch = await view.batch(maker.manufacturerId, series)
    const [started, used] = [performance.now(), process.cpuUsage()]
    const found = await view.words(maker.manufacturerId, series, 0, Math.ceil(size / 256))
    const set = found.reduce((sum, word) => sum + setBits(word), 0)
    times.push(performance.now() - started)
    own.push(process.cpuUsage(used).user / 1000)
    if (set !== lost.length || set !== batch?.revokedCount) throw new Error(`${set} of ${lost.length} bits are set`)
  }
  await fleet.close()
  const what = `${size.toLocaleString("en-US")} statuses by one words call, read and checked`
  return [row(what, median(times), "ms", { atMost: 60 }), row(`${what}: the client's share`, median(own), "ms")]
}

function setBits(word: bigint): number {
  let count = 0
  for (let rest = word; rest !== 0n; rest &= rest - 1n) count++
  return count
}
