import { readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import {
  BatchIndex,
  CONTESTED,
  fromHex,
  httpManifestSource,
  indexOfFound,
  readManifestHeader,
  type Hex,
  type ManifestSource,
} from "../client/index.ts"
import { fileManifestSource } from "../client/node/index.ts"
import { isUrl } from "./deviceReceipts.ts"
import { ManifestUnreadableError } from "./errors/gateway.ts"
import type { FleetSource } from "./issuers/context.ts"
import type { CredentialPlace, FoundPlace, PlaceFinder } from "./issuers/placeFinder.ts"

export type ManifestShelfOptions = {
  /** Files, folders of files, and addresses of web servers. Nothing that they serve is believed: it must lead to the ledger's roots. */
  readonly manifests: readonly string[]
  readonly replica: Pick<FleetSource, "deployment" | "head">
  /** Told of what cannot be used, once for each reason. */
  readonly warn: (what: { readonly manifest: string; readonly error: Error }) => void
  /** The clock, in milliseconds. Default: the platform's. */
  readonly now?: () => number
}

/** How the shelf stands, for metrics. */
export type ManifestHealth = {
  /** Devices that are found. */
  readonly devices: number
  /** Manifests of batches that the ledger does not have yet. */
  readonly waiting: number
  /** Manifests that cannot be used. */
  readonly faults: number
}

/** One manifest, wherever it is. */
type Volume = {
  readonly name: string
  /** Another one when the manifest may be another. */
  readonly state: string
  /** Whether somebody named this very manifest. */
  readonly named: boolean
  readonly open: () => Promise<ManifestSource>
}

type Known = {
  readonly state: string
  readonly place: { readonly manufacturerId: number; readonly series: number } | undefined
  readonly fault: string | undefined
  readonly triedAt: number
}

const RETRY_MS = 30_000
/** What a folder may hold besides manifests. */
const NO_MANIFEST = new Set(["ManifestMagicError", "ManifestLengthError"])

/**
 * The manifests that the gateway was given: where each credential of their batches stands on the ledger. A manifest counts once all
 * of it was hashed to the root that the ledger shows, and as long as the ledger shows it.
 */
export class ManifestShelf implements PlaceFinder {
  readonly #options: ManifestShelfOptions
  readonly #index: BatchIndex
  readonly #known = new Map<string, Known>()

  constructor(options: ManifestShelfOptions) {
    this.#options = options
    this.#index = new BatchIndex({ deployment: options.replica.deployment })
  }

  /** The same for verifiers, which check the issuer's signature themselves. */
  get places(): BatchIndex {
    return this.#index
  }

  health(): ManifestHealth {
    const known = [...this.#known.values()]
    return {
      devices: this.#index.devices,
      waiting: known.filter(({ place, fault }) => fault === undefined && !this.#isIndexed(place)).length,
      faults: known.filter(({ fault }) => fault !== undefined).length,
    }
  }

  /**
   * Reads what is new or was registered in the meantime, and drops what the ledger does not have any more.
   *
   * @returns whether something is found now that was not before.
   * @throws the replica's fault.
   */
  async refresh(signal?: AbortSignal): Promise<boolean> {
    const { head } = this.#options.replica
    for (const batch of Array.from(this.#index.batches())) {
      const now = head.batch(batch.manufacturerId, batch.series)
      if (now === undefined || !this.#index.has(now)) this.#index.forget(batch.manufacturerId, batch.series)
    }
    const volumes = await this.#volumes()
    const names = new Set(volumes.map(({ name }) => name))
    for (const name of this.#known.keys()) if (!names.has(name)) this.#known.delete(name)
    let found = false
    for (const volume of volumes) {
      signal?.throwIfAborted()
      if (await this.#take(volume)) found = true
    }
    return found
  }

  /** All places that hold a credential, by the manifests. A hash that nobody issued leads to one with probability 2^-38 or less. */
  placesOf(credentialHash: Hex, manufacturerId: number): readonly CredentialPlace[] {
    return this.#index
      .claims(fromHex(credentialHash))
      .filter(({ batch }) => batch.manufacturerId === manufacturerId)
      .map(({ batch, index }) => ({ manufacturerId, series: batch.series, index, root: batch.root }))
  }

  /**
   * The place of a credential, read in its manifest once more, so that there is no doubt.
   *
   * @param manufacturerId Whose batches count. Default: all.
   * @returns `contested` if several places claim it and none is the one that counts.
   * @throws ManifestUnreadableError
   */
  async findPlace(credentialHash: Hex, manufacturerId = 0): Promise<FoundPlace | undefined> {
    const found = this.#index.lookup(fromHex(credentialHash), manufacturerId)
    if (found === CONTESTED) return "contested"
    const batch = this.#index.batchOf(found)
    if (batch === undefined) return undefined
    const index = indexOfFound(found)
    if (!(await this.#isCertain(credentialHash))) return undefined
    return { manufacturerId: batch.manufacturerId, series: batch.series, index, root: batch.root }
  }

  async #isCertain(credentialHash: Hex): Promise<boolean> {
    try {
      return (await this.#index.receiptOf(credentialHash)) !== undefined
    } catch (cause) {
      throw new ManifestUnreadableError({ reason: cause instanceof Error ? cause.message : String(cause), cause })
    }
  }

  #isIndexed(place: Known["place"]): boolean {
    if (place === undefined) return false
    const batch = this.#options.replica.head.batch(place.manufacturerId, place.series)
    return batch !== undefined && this.#index.has(batch)
  }

  async #take(volume: Volume): Promise<boolean> {
    const { name, state } = volume
    const now = this.#options.now?.() ?? Date.now()
    const before = this.#known.get(name)
    const same = before?.state === state ? before : undefined
    if (same?.fault !== undefined && now - same.triedAt < RETRY_MS) return false
    if (same?.place !== undefined && same.fault === undefined && !this.#isNew(same.place)) return false
    let place: Known["place"]
    try {
      const source = await volume.open()
      const { manufacturerId, series } = await readManifestHeader(source)
      place = { manufacturerId, series }
      const batch = this.#options.replica.head.batch(manufacturerId, series)
      const known = { state, place, fault: undefined, triedAt: now }
      if (batch !== undefined) await this.#index.add(source, batch)
      this.#known.set(name, known)
      return batch !== undefined
    } catch (error) {
      if (!(error instanceof Error)) throw error
      const passedOver = !volume.named && NO_MANIFEST.has(error.name)
      const fault = passedOver ? undefined : error.message
      if (fault !== undefined && before?.fault !== fault) this.#options.warn({ manifest: shownName(name), error })
      if (passedOver) this.#known.delete(name)
      else this.#known.set(name, { state, place, fault, triedAt: now })
      return false
    }
  }

  /** Whether the ledger has the batch, and the index has not. */
  #isNew({ manufacturerId, series }: NonNullable<Known["place"]>): boolean {
    const batch = this.#options.replica.head.batch(manufacturerId, series)
    return batch !== undefined && !this.#index.has(batch)
  }

  async #volumes(): Promise<Volume[]> {
    const volumes: Volume[] = []
    for (const place of this.#options.manifests) {
      if (isUrl(place)) {
        volumes.push({ name: place, state: "", named: true, open: () => httpManifestSource(place) })
        continue
      }
      try {
        for (const path of await filesAt(place)) {
          const { mtimeMs, size } = await stat(path)
          const named = path === place
          volumes.push({ name: path, state: `${mtimeMs} ${size}`, named, open: () => reopenedSource(path) })
        }
      } catch (cause) {
        const open = (): never => {
          throw new ManifestUnreadableError({ reason: (cause as NodeJS.ErrnoException).code ?? String(cause), cause })
        }
        volumes.push({ name: place, state: "", named: true, open })
      }
    }
    return volumes
  }
}

/** The files of a folder, or the file itself. */
async function filesAt(place: string): Promise<string[]> {
  if (!(await stat(place)).isDirectory()) return [place]
  const entries = await readdir(place, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isFile() && !entry.name.startsWith(".")).map(({ name }) => name)
  return names.sort().map((name) => join(place, name))
}

/** A file that is opened whenever it is read, so that many of them hold no descriptors. */
async function reopenedSource(path: string): Promise<ManifestSource> {
  const read = async <T>(work: (file: ManifestSource) => T | Promise<T>): Promise<T> => {
    const file = await fileManifestSource(path)
    try {
      return await work(file)
    } finally {
      await file.close()
    }
  }
  const size = await read((file) => file.size)
  return { size, read: (offset, length) => read((file) => file.read(offset, length)) }
}

/** An address may hold a password. */
function shownName(name: string): string {
  return isUrl(name) && URL.canParse(name) ? new URL(name).host : name
}
