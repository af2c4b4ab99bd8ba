import { createPublicKey, verify } from "node:crypto"
import { once } from "node:events"
import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { Worker } from "node:worker_threads"
import { fromHex, Verifier } from "../../client/index.ts"
import type { KeySigner } from "../../client/index.ts"
import { verifyThreads } from "../../client/node/index.ts"
import { makeDevice } from "../../test/helpers/fleet.ts"
import type { Device } from "../../test/helpers/fleet.ts"
import { median, row } from "../row.ts"
import type { GroupOptions, Measured } from "../row.ts"
import { benchFleet } from "../worlds/fleet.ts"

const RATIO = 1.3
/** Certificates checked each way before anything is measured. */
const WARM_UP = 4_000

/** The full check of a certificate out of a replica, beside nothing but its P-256 verification, on one core and on all. */
export async function certificates({ quick }: GroupOptions): Promise<Measured> {
  const count = quick ? 1_000 : 2_000
  const rounds = quick ? 7 : 21
  let devices: Device[] = []
  let issuer: KeySigner | undefined
  const fleet = await benchFleet({
    credentialHashes: async (signer) => {
      issuer = signer
      devices = await Promise.all(Array.from({ length: count }, () => makeDevice({ issuer: signer })))
      return Buffer.concat(devices.map(({ certificate }) => fromHex(certificate.credentialHash)))
    },
  })
  const replica = await fleet.openReplica()
  const places = await fleet.index()
  const ders = devices.map(({ der }) => der)
  const now = (): Date => fleet.net.clock
  const key = createPublicKey({ key: Buffer.from((issuer as KeySigner).spki), format: "der", type: "spki" })
  const bare = (): void => {
    for (const { certificate } of devices) {
      if (!verify("sha256", certificate.tbs, key, certificate.signatureValue)) throw new Error("a wrong signature")
    }
  }
  const stream = async (verifier: Verifier): Promise<void> => {
    let good = 0
    for await (const { status } of verifier.checkStream(ders, { places })) if (status === "good") good++
    if (good !== count) throw new Error(`${good} of ${count} are good`)
  }
  const many = async (verifier: Verifier): Promise<void> => {
    const verdicts = await verifier.checkMany(ders, { places })
    if (verdicts.some(({ status }) => status !== "good")) throw new Error("not all are good")
  }
  const single = new Verifier({ ledger: replica, now })

  // Warm: a run of all of it compiles what is run often.
  for (let checked = 0; checked < WARM_UP; checked += count) {
    await stream(single)
    await many(single)
  }

  // One core, by the processor's own clock: what else runs on the machine disturbs that least. In turn, so that all meet the same.
  const times: Record<"bare" | "stream" | "many", number[]> = { bare: [], stream: [], many: [] }
  for (let round = 0; round < rounds; round++) {
    times.bare.push(await cpuSeconds(bare))
    times.stream.push(await cpuSeconds(() => stream(single)))
    times.many.push(await cpuSeconds(() => many(single)))
  }
  const perSecond = (seconds: readonly number[]): number => count / median(seconds)
  const ratios = (of: "stream" | "many"): number =>
    median(times[of].map((used, i) => used / (times.bare[i] ?? Number.NaN)))

  // All cores, by the wall clock.
  const cores = availableParallelism()
  const threads = verifyThreads({ threads: cores })
  const pooled = new Verifier({ ledger: replica, now, crypto: threads })
  const bareOnAll = await bareThreads(cores, devices, issuer as KeySigner)
  await stream(pooled)
  const walls: Record<"bare" | "stream", number[]> = { bare: [], stream: [] }
  for (let round = 0; round < rounds; round++) {
    walls.bare.push(await bareOnAll.run())
    walls.stream.push(await wallSeconds(() => stream(pooled)))
  }
  const onAll = median(walls.stream.map((used, i) => used / (walls.bare[i] ?? Number.NaN)))
  await threads.close()
  await bareOnAll.close()
  await replica.close()
  await fleet.close()

  const bareRate = { name: "node:crypto P-256 verification alone", value: perSecond(times.bare) }
  return [
    row("full check of a certificate, checkMany, one core, against bare verification", ratios("many"), "times", {
      atMost: RATIO,
      peers: [{ name: "node:crypto P-256 verification alone", value: 1 }],
    }),
    row("full check of a certificate, checkStream, one core, against bare verification", ratios("stream"), "times", {
      atMost: RATIO,
      peers: [{ name: "node:crypto P-256 verification alone", value: 1 }],
    }),
    row(
      `full check of a certificate, checkStream, ${cores} threads, against bare verification on ${cores}`,
      onAll,
      "times",
      {
        atMost: RATIO,
        peers: [{ name: "node:crypto P-256 verification alone", value: 1 }],
      },
    ),
    row("full checks of certificates, checkMany, one core", perSecond(times.many), "1/s", { peers: [bareRate] }),
    row(`full checks of certificates, checkStream, ${cores} threads`, perSecond(walls.stream), "1/s", {
      peers: [{ name: `node:crypto on ${cores} threads`, value: perSecond(walls.bare) }],
    }),
  ]
}

async function cpuSeconds(work: () => unknown): Promise<number> {
  const before = process.threadCpuUsage()
  await work()
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / 1e6
}

async function wallSeconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1000
}

/** Bare verification shared out evenly, with everything in place before the clock starts. */
async function bareThreads(
  threads: number,
  devices: readonly Device[],
  issuer: KeySigner,
): Promise<{ run(): Promise<number>; close(): Promise<unknown> }> {
  const file = fileURLToPath(new URL("../peers/bareVerifyThread.ts", import.meta.url))
  const workers = Array.from({ length: threads }, (_, thread) => {
    const part = devices.filter((_device, i) => i % threads === thread)
    const items = part.map(({ certificate }) => [certificate.tbs.slice(), certificate.signatureValue.slice()])
    return new Worker(file, { workerData: { spki: issuer.spki, items } })
  })
  const ask = async (worker: Worker): Promise<void> => {
    const done = once(worker, "message")
    worker.postMessage("go", [])
    await done
  }
  await Promise.all(workers.map(ask))
  return {
    run: () => wallSeconds(() => Promise.all(workers.map(ask))),
    close: () => Promise.all(workers.map((worker) => worker.terminate())),
  }
}
