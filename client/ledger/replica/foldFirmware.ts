import type { Hex } from "../../crypto/hex.ts"
import type { Release, ReleaseTexts, ReleaseThreshold } from "../ledger.ts"
import type { Refuse, Undo } from "./foldManufacturers.ts"
import type { LogEntry, LoggedEvent } from "./logCodec.ts"
import { Versions } from "./versions.ts"

type FirmwareEvent = Extract<LoggedEvent, { contract: "firmware" }>
type StoredThreshold = { readonly current: number; readonly pending: number; readonly pendingAt: number }

type ProductLog = {
  readonly releases: Map<Hex, Versions<Release>>
  readonly images: Map<number, Hex>
  readonly texts: Map<Hex, ReleaseTexts>
  readonly latest: Versions<number>
  readonly minimum: Versions<number>
}

type FirmwareLog = { readonly threshold: Versions<StoredThreshold>; readonly products: Map<Hex, ProductLog> }

const ZERO_HASH = `0x${"00".repeat(32)}`
const SIGNER_BITS = 16n

/** What the log of the FirmwareRegistry adds up to, after any of its entries. */
export class FirmwareFold {
  readonly #manufacturers = new Map<number, FirmwareLog>()

  apply(number: number, entry: LogEntry, event: FirmwareEvent, refuse: Refuse): Undo {
    const log = this.#log(entry.manufacturerId)
    switch (event.name) {
      case "ReleasePublished":
        return publish(productOf(log, event.args.product), number, entry, event.args, refuse)
      case "ReleaseRecalled": {
        const { product, securityVersion } = event.args
        const known = productOf(log, product)
        const image = known.images.get(Number(securityVersion))
        const versions = image === undefined ? undefined : known.releases.get(image)
        const release = versions?.last
        if (versions === undefined || release === undefined) return refuse("there is no such release")
        versions.set(number, { ...release, recalledAt: entry.timestamp })
        return () => {
          versions.undo()
        }
      }
      case "MinimumRaised": {
        const { minimum } = productOf(log, event.args.product)
        minimum.set(number, Number(event.args.minimum))
        return () => {
          minimum.undo()
        }
      }
      case "ThresholdSet": {
        const { threshold, effectiveAt } = event.args
        const { current } = effectiveThreshold(log.threshold.last, entry.timestamp)
        log.threshold.set(
          number,
          // A lower one waits: so the contract has it.
          threshold >= current
            ? { current: threshold, pending: 0, pendingAt: 0 }
            : { current, pending: threshold, pendingAt: effectiveAt },
        )
        return () => {
          log.threshold.undo()
        }
      }
      case "SuccessorProposed":
      case "SuccessorNamed":
        // Of governance: no verdict rests on it.
        return () => undefined
    }
  }

  threshold(manufacturerId: number, count: number, time: number): ReleaseThreshold {
    return effectiveThreshold(this.#manufacturers.get(manufacturerId)?.threshold.after(count), time)
  }

  *releases(manufacturerId: number, count: number): Iterable<Release> {
    for (const { releases } of this.#manufacturers.get(manufacturerId)?.products.values() ?? []) {
      for (const versions of releases.values()) {
        const release = versions.after(count)
        if (release !== undefined) yield release
      }
    }
  }

  byImage(manufacturerId: number, product: Hex, image: Hex, count: number): Release | undefined {
    return this.#product(manufacturerId, product)?.releases.get(image)?.after(count)
  }

  byVersion(manufacturerId: number, product: Hex, securityVersion: number, count: number): Release | undefined {
    const image = this.#product(manufacturerId, product)?.images.get(securityVersion)
    return image === undefined ? undefined : this.byImage(manufacturerId, product, image, count)
  }

  latest(manufacturerId: number, product: Hex, count: number): Release | undefined {
    const latest = this.#product(manufacturerId, product)?.latest.after(count)
    return latest === undefined ? undefined : this.byVersion(manufacturerId, product, latest, count)
  }

  minimum(manufacturerId: number, product: Hex, count: number): number {
    return this.#product(manufacturerId, product)?.minimum.after(count) ?? 0
  }

  texts(manufacturerId: number, product: Hex, image: Hex): ReleaseTexts | undefined {
    return this.#product(manufacturerId, product)?.texts.get(image)
  }

  #product(manufacturerId: number, product: Hex): ProductLog | undefined {
    return this.#manufacturers.get(manufacturerId)?.products.get(product)
  }

  #log(manufacturerId: number): FirmwareLog {
    let log = this.#manufacturers.get(manufacturerId)
    if (log === undefined) {
      log = { threshold: new Versions(), products: new Map() }
      this.#manufacturers.set(manufacturerId, log)
    }
    return log
  }
}

function productOf(log: FirmwareLog, product: Hex): ProductLog {
  let known = log.products.get(product)
  if (known === undefined) {
    known = {
      releases: new Map(),
      images: new Map(),
      texts: new Map(),
      latest: new Versions(),
      minimum: new Versions(),
    }
    log.products.set(product, known)
  }
  return known
}

function publish(
  known: ProductLog,
  number: number,
  { manufacturerId, timestamp }: LogEntry,
  args: Extract<FirmwareEvent, { name: "ReleasePublished" }>["args"],
  refuse: Refuse,
): Undo {
  const { product, imageDigest, manifestDigest, threshold, version, uri } = args
  const securityVersion = Number(args.securityVersion)
  if (known.releases.has(imageDigest) || known.images.has(securityVersion)) refuse("it was released before")
  const signers: number[] = []
  for (let rest = args.signers; rest !== 0n; rest >>= SIGNER_BITS) {
    signers.unshift(Number(BigInt.asUintN(Number(SIGNER_BITS), rest)))
  }
  const versions = new Versions<Release>()
  versions.set(number, {
    manufacturerId,
    product,
    securityVersion,
    imageDigest,
    manifestDigest: manifestDigest === ZERO_HASH ? undefined : manifestDigest,
    releasedAt: timestamp,
    recalledAt: undefined,
    threshold,
    signers,
  })
  known.releases.set(imageDigest, versions)
  known.images.set(securityVersion, imageDigest)
  known.texts.set(imageDigest, { version, uri })
  known.latest.set(number, securityVersion)
  return () => {
    known.latest.undo()
    known.texts.delete(imageDigest)
    known.images.delete(securityVersion)
    known.releases.delete(imageDigest)
  }
}

/** Nothing set means one signature. */
function effectiveThreshold(stored: StoredThreshold | undefined, time: number): ReleaseThreshold {
  if (stored === undefined) return { current: 1, pending: undefined }
  const { current, pending, pendingAt } = stored
  if (pending === 0) return { current, pending: undefined }
  return time >= pendingAt
    ? { current: pending, pending: undefined }
    : { current, pending: { threshold: pending, from: pendingAt } }
}
