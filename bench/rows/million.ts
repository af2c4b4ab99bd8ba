import { httpRpc, LedgerWriter, ManufacturerClient, RpcLedger, StatusTable } from "../../client/index.ts"
import type { FleetState } from "../../client/index.ts"
import { payer } from "../../test/helpers/ledger.ts"
import { measurePeerGas } from "../peers/chain.ts"
import { median, quantile, row } from "../row.ts"
import type { GroupOptions, Measured, Row } from "../row.ts"
import { benchFleet, randomHashes, randomPlaces } from "../worlds/fleet.ts"
import type { BenchFleet } from "../worlds/fleet.ts"

const GAS_CAP = 16_777_216
const SHARE = 100
const LIST = 100

/** A fleet of a million with one device in a hundred revoked at random: what that costs, and how fast statuses come after it. */
export async function million({ quick }: GroupOptions): Promise<Measured> {
  const sizes = quick ? [1_000, 100_000] : [1_000, 10_000, 100_000, 1_000_000]
  const rows: Row[] = []
  const byHash: [number, number][] = []
  const byPlace: [number, number][] = []
  for (const size of sizes) {
    const hashes = randomHashes(size)
    const fleet = await benchFleet({ credentialHashes: () => hashes })
    const largest = size === sizes.at(-1)
    const lost = randomPlaces(Math.max(1, size / SHARE), size)
    if (largest) rows.push(...(await revokeMany(fleet, lost, quick)))
    else await fleet.maker.revokePlaces(fleet.series, lost, 1)
    await fleet.net.pass(10)
    const replica = await fleet.openReplica()
    const places = await fleet.index()
    const table = new StatusTable({ head: replica.head, settled: replica.settled, places })

    const rate = hashRate(table, hashes, size, lost.length, quick)
    byHash.push([size, rate.perSecond])
    const placeRate = placesPerSecond(table, fleet, lost.length, quick)
    byPlace.push([size, placeRate])
    if (largest) {
      const what = size.toLocaleString("en-US")
      rows.push(
        row(`warm status by credential hash, ${what} devices, one core`, rate.perSecond, "1/s", { atLeast: 2e6 }),
        row(`warm status by credential hash, ${what} devices, p99 of one`, rate.p99, "µs", { atMost: 5 }),
        row(`warm status by series and index, ${what} devices, one core`, placeRate, "1/s", { atLeast: 5e7 }),
        row(
          `status bit from the replica's picture, ${what} devices, one core`,
          bitsPerSecond(replica.head, fleet, quick),
          "1/s",
        ),
      )
    }
    await replica.close()
    await fleet.close()
  }
  const plots = [
    {
      title: "Warm statuses a second on one core, against the size of the fleet",
      x: { label: "devices in the fleet", log: true },
      y: { label: "statuses a second", log: true },
      series: [
        { name: "by credential hash", points: byHash },
        { name: "by series and index", points: byPlace },
      ],
      note: "One device in a hundred is revoked, at random; questions are in random order.",
    },
  ]
  return { rows, plots }
}

/** Revokes by the client alone, which plans words and transactions; stopped half-way once, and taken up by another client. */
async function revokeMany(fleet: BenchFleet, lost: readonly number[], quick: boolean): Promise<Row[]> {
  const { net, series, size, maker } = fleet
  const peer = await measurePeerGas(net.url, quick ? 3 : 20, LIST)
  // 1. A client whose connection ends after the third transaction.
  const rpc = httpRpc(net.url)
  let sent = 0
  const mortal: typeof rpc = {
    ...rpc,
    request: (call) => {
      if (call.method === "eth_sendRawTransaction" && ++sent > 3) throw new Error("the power went")
      return rpc.request(call)
    },
  }
  const { deployment } = net
  const ledger = new RpcLedger({ deployment, rpc })
  const { manufacturerId } = maker
  const writer = new LedgerWriter({ deployment, rpc: mortal, payer: payer(1) })
  const first = new ManufacturerClient({ ledger, rpc: mortal, writer, manufacturerId })
  const started = performance.now()
  const whole = lost.length < 2_048 ? undefined : await first.revokePlaces(series, lost, 1).catch(() => undefined)
  if (whole !== undefined) throw new Error("the first client was not stopped")
  // 2. Another one, asked the same, does what is left.
  const { transactions, alreadyDone } = await maker.revokePlaces(series, lost, 1)
  const seconds = (performance.now() - started) / 1000
  const view = await net.ledger.at("latest")
  const batch = await view.batch(manufacturerId, series)
  if (batch?.revokedCount !== lost.length) throw new Error("not all are revoked, or too many")
  if (sent > 0 && alreadyDone === 0) throw new Error("nothing was taken up")

  const gas = transactions.map(({ gasUsed }) => Number(gasUsed))
  const each = gas.reduce((sum, used) => sum + used, 0) / (lost.length - alreadyDone)
  const what = `${lost.length.toLocaleString("en-US")} random devices of ${size.toLocaleString("en-US")}`
  return [
    row(`revoke ${what}: most gas of a transaction`, Math.max(...gas), "gas", { atMost: GAS_CAP }),
    row(`revoke ${what}: gas a device`, each, "gas", {
      peers: [
        { name: "ERC-1056, revokeAttribute", value: peer.erc1056.revoke },
        { name: "EAS, revoke", value: peer.eas.revoke },
        { name: `EAS, multiRevoke of ${LIST}`, value: peer.eas.revokeInList },
      ],
    }),
    row(`revoke ${what}: transactions`, gas.length + Math.min(sent, 3), "transactions"),
    row(`revoke ${what}: left to do after a stop half-way`, lost.length - alreadyDone, "devices"),
    row(`revoke ${what}: the client's time, a stop included`, seconds, "s"),
  ]
}

function hashRate(
  table: StatusTable,
  hashes: Uint8Array,
  size: number,
  revoked: number,
  quick: boolean,
): { perSecond: number; p99: number } {
  const asked = Math.min(size, 200_000)
  // Each question in an array of its own, as a caller has it.
  const questions = randomPlaces(asked, size).map((index) => hashes.subarray(index * 32, index * 32 + 32))
  const rounds = quick ? 5 : 15
  const rates: number[] = []
  let good = 0
  for (let round = 0; round < rounds; round++) {
    good = 0
    const before = process.threadCpuUsage()
    for (const question of questions) if (table.statusOf(question) === "good") good++
    const { user, system } = process.threadCpuUsage(before)
    rates.push(asked / ((user + system) / 1e6))
  }
  if (asked === size && good !== size - revoked) throw new Error(`${good} of ${size} are good`)
  const times: number[] = []
  for (const question of questions.slice(0, 50_000)) {
    const started = process.hrtime.bigint()
    table.statusOf(question)
    times.push(Number(process.hrtime.bigint() - started) / 1000)
  }
  return { perSecond: median(rates), p99: quantile(times, 0.99) }
}

function placesPerSecond(
  table: StatusTable,
  { maker, series, size }: BenchFleet,
  revoked: number,
  quick: boolean,
): number {
  const statuses = table.batch(maker.manufacturerId, series)
  let good = 0
  for (let index = 0; index < size; index++) if (statuses.at(index) === "good") good++
  if (good !== size - revoked) throw new Error(`${good} of ${size} are good`)
  const asked = randomIndices(size)
  return rateOf(quick, asked.length, () => {
    let found = 0
    for (let i = 0; i < asked.length; i++) if (statuses.at(asked[i] as number) === "good") found++
    return found
  })
}

function bitsPerSecond(head: FleetState, { maker, series, size }: BenchFleet, quick: boolean): number {
  const asked = randomIndices(size)
  return rateOf(quick, asked.length, () => {
    let set = 0
    for (let i = 0; i < asked.length; i++) if (head.bit(maker.manufacturerId, series, asked[i] as number)) set++
    return set
  })
}

function randomIndices(size: number): Uint32Array {
  return Uint32Array.from({ length: 4_000_000 }, () => Math.floor(Math.random() * size))
}

function rateOf(quick: boolean, count: number, work: () => number): number {
  const rates: number[] = []
  let sum = 0
  for (let round = 0; round < (quick ? 5 : 15); round++) {
    const before = process.threadCpuUsage()
    sum += work()
    const { user, system } = process.threadCpuUsage(before)
    rates.push(count / ((user + system) / 1e6))
  }
  if (sum < 0) throw new Error("nobody would count that")
  return median(rates)
}
