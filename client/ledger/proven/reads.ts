import type { Hex } from "../../crypto/hex.ts"
import { StoredValueInvalidError } from "../../errors/proofs.ts"
import { encodeParameters } from "../abi/encodeParameters.ts"
import { keccakHex } from "../abi/keccakHex.ts"
import type { ContractName, Deployment } from "../deployment.ts"
import type {
  Batch,
  CredentialRecord,
  KeyPurpose,
  LogHead,
  LoggedContract,
  ManufacturerStatus,
  Mark,
  OperatorGrant,
  Release,
  ReleaseThreshold,
} from "../ledger.ts"
import { locate, slotsOf, unpack, wordHex } from "./storageSlots.ts"
import type { LaidOutContract, StoragePlace } from "./storageSlots.ts"

/** Something that can be read of a contract's storage: the slots that it needs, and what their words mean. */
export type StorageRead<T> = {
  readonly contract: ContractName
  readonly slots: readonly bigint[]
  /** @throws StoredValueInvalidError */
  readonly decode: (words: readonly bigint[]) => T
}

/** A manufacturer's one-slot core, with the status that it has at a time: a suspension that nobody confirmed ends by itself. */
export type ManufacturerCore = {
  readonly controller: Hex
  readonly status: ManufacturerStatus
  readonly statusSince: number
  readonly suspendedUntil: number | undefined
}

/** A manufacturer's profile; of the strings, the words in their slots. */
export type ManufacturerProfile = {
  readonly keyCount: number
  readonly pendingController: Hex | undefined
  readonly proposedController: Hex | undefined
  readonly replacementAt: number | undefined
  readonly name: { readonly slot: bigint; readonly word: bigint }
  readonly metadataURI: { readonly slot: bigint; readonly word: bigint }
}

/** A key as the contract stores it. */
export type StoredKey = {
  readonly keyId: Hex
  readonly purpose: KeyPurpose
  readonly proven: boolean
  readonly registeredAt: number
  readonly notBefore: number
  readonly notAfter: number
  readonly revokedAt: number | undefined
  readonly compromisedSince: number | undefined
  readonly x: Hex
  readonly y: Hex
}

/** The deployment that follows one, as the consortium named it. */
export type Successor = { readonly chainId: bigint; readonly registry: Hex; readonly codeHash: Hex }

const STATUSES: readonly (ManufacturerStatus | undefined)[] = [undefined, "active", "suspended", "left"]
const PURPOSES: readonly (KeyPurpose | undefined)[] = [undefined, "issuer", "openIssuer", "firmware"]
const MARKS: readonly Mark[] = ["none", "held", "revoked"]
const LAYOUT = {
  access: "FleetrootAccess",
  manufacturers: "ManufacturerRegistry",
  devices: "DeviceRegistry",
  firmware: "FirmwareRegistry",
} as const satisfies Record<ContractName, LaidOutContract>
/** Sixteen bits for each index of a key that signed a release. */
const SIGNER_BITS = 16n

/** @param time The block's, in Unix seconds. */
export function coreRead(manufacturerId: number, time: number): StorageRead<ManufacturerCore | undefined> {
  const place = locate("ManufacturerRegistry", "_cores", { key: manufacturerId })
  return structRead("manufacturers", place, (fields) => {
    if (fields("status") === 0n) return undefined
    const until = timeOrNone(fields("suspendedUntil"))
    const status = known(STATUSES, fields("status"), "a manufacturer's status")
    const controller = address(fields("controller"))
    if (status === "suspended" && until !== undefined && time >= until) {
      return { controller, status: "active", statusSince: until, suspendedUntil: undefined }
    }
    const statusSince = Number(fields("statusSince"))
    return { controller, status, statusSince, suspendedUntil: status === "suspended" ? until : undefined }
  })
}

/** An operator's grant at a time; it counts only while the controller that gave it is in place. */
export function operatorRead(
  manufacturerId: number,
  account: Hex,
  time: number,
): StorageRead<OperatorGrant | undefined> {
  const grant = structRead(
    "manufacturers",
    locate("ManufacturerRegistry", "_operators", { key: manufacturerId }, { key: account }),
    (fields) => fields,
  )
  const core = structRead(
    "manufacturers",
    locate("ManufacturerRegistry", "_cores", { key: manufacturerId }),
    (fields) => fields,
  )
  return {
    contract: "manufacturers",
    slots: [...grant.slots, ...core.slots],
    decode: (words) => {
      const of = grant.decode(words)
      const epoch = core.decode(words.slice(grant.slots.length))("epoch")
      const counts = of("rights") !== 0n && of("epoch") === epoch && time < Number(of("until"))
      return counts ? { rights: Number(of("rights")), until: Number(of("until")) } : undefined
    },
  }
}

export function profileRead(manufacturerId: number): StorageRead<ManufacturerProfile> {
  const path = ["_profiles", { key: manufacturerId }] as const
  const place = locate("ManufacturerRegistry", ...path)
  const nameSlot = locate("ManufacturerRegistry", ...path, "name").slot
  const uriSlot = locate("ManufacturerRegistry", ...path, "metadataURI").slot
  return structRead("manufacturers", place, (fields, words) => ({
    keyCount: Number(fields("keyCount")),
    pendingController: addressOrNone(fields("pendingController")),
    proposedController: addressOrNone(fields("proposedController")),
    replacementAt: timeOrNone(fields("replacementAt")),
    name: { slot: nameSlot, word: wordAt(words, nameSlot - place.slot) },
    metadataURI: { slot: uriSlot, word: wordAt(words, uriSlot - place.slot) },
  }))
}

export function keyRead(manufacturerId: number, keyIndex: number): StorageRead<StoredKey | undefined> {
  const path = ["_keys", { key: manufacturerId }, { key: keyIndex }] as const
  const key = structRead("manufacturers", locate("ManufacturerRegistry", ...path), (fields) => fields)
  const metaPlace = locate("ManufacturerRegistry", ...path, "meta")
  return {
    ...key,
    decode: (words) => {
      const fields = key.decode(words)
      const meta = unpack("ManufacturerRegistry", metaPlace, words.slice(Number(metaPlace.slot - (key.slots[0] ?? 0n))))
      const of = fieldOf(meta)
      if (of("registeredAt") === 0n) return undefined
      return {
        keyId: wordHex(fields("keyId")),
        purpose: known(PURPOSES, of("purpose"), "a key's purpose"),
        proven: flag(of("proven"), "a key's proven"),
        registeredAt: Number(of("registeredAt")),
        notBefore: Number(of("notBefore")),
        notAfter: Number(of("notAfter")),
        revokedAt: timeOrNone(of("revokedAt")),
        compromisedSince: timeOrNone(of("compromisedSince")),
        x: wordHex(fields("x")),
        y: wordHex(fields("y")),
      }
    },
  }
}

/** Who registered a P-256 key; undefined if nobody did. */
export function provenKeyRead(
  keyId: Hex,
): StorageRead<{ readonly manufacturerId: number; readonly keyIndex: number } | undefined> {
  return structRead("manufacturers", locate("ManufacturerRegistry", "_provenKeys", { key: keyId }), (fields) => {
    const keyIndex = Number(fields("keyIndex"))
    return keyIndex === 0 ? undefined : { manufacturerId: Number(fields("manufacturerId")), keyIndex }
  })
}

export function batchRead(manufacturerId: number, series: number): StorageRead<Batch | undefined> {
  const path = ["_batches", { key: manufacturerId }, { key: series }] as const
  const root = locate("DeviceRegistry", ...path, "root")
  const meta = locate("DeviceRegistry", ...path, "meta")
  return {
    contract: "devices",
    slots: [root.slot, meta.slot],
    decode: (words) => {
      const of = fieldOf(unpack("DeviceRegistry", meta, words.slice(1)))
      if (of("size") === 0n) return undefined
      const flags = of("flags")
      return {
        manufacturerId,
        series,
        root: wordHex(wordAt(words, 0n)),
        size: Number(of("size")),
        keyIndex: Number(of("keyIndex")),
        registeredAt: Number(of("registeredAt")),
        notAfter: Number(of("notAfter")),
        mark: known(MARKS, of("mark"), "a batch's mark"),
        byKey: (flags & 1n) !== 0n,
        rawPublicKeys: (flags & 2n) !== 0n,
        revokedCount: Number(of("revokedCount")),
        changedAt: Number(of("changedAt")),
        reason: Number(of("reason")),
      }
    },
  }
}

export function wordsRead(
  manufacturerId: number,
  series: number,
  firstWord: number,
  count: number,
): StorageRead<readonly bigint[]> {
  const path = ["_batches", { key: manufacturerId }, { key: series }, "revoked"] as const
  const slots = Array.from({ length: count }, (_, i) => locate("DeviceRegistry", ...path, { key: firstWord + i }).slot)
  return { contract: "devices", slots, decode: (words) => words }
}

export function recordRead(manufacturerId: number, subject: Hex): StorageRead<CredentialRecord> {
  const place = locate("DeviceRegistry", "_records", { key: manufacturerId }, { key: subject })
  return structRead("devices", place, (fields) => ({
    manufacturerId,
    subject,
    registeredAt: timeOrNone(fields("registeredAt")),
    notAfter: timeOrNone(fields("notAfter")),
    keyIndex: Number(fields("keyIndex")),
    mark: known(MARKS, fields("mark"), "a record's mark"),
    changedAt: Number(fields("changedAt")),
    reason: Number(fields("reason")),
    invalidityDate: timeOrNone(fields("invalidityDate")),
  }))
}

/** The first head of a log depends on where the log is. */
export function logRead(
  { chainId, contracts }: Deployment,
  contract: LoggedContract,
  manufacturerId: number,
): StorageRead<LogHead> {
  const place = locate(LAYOUT[contract], "_logs", { key: manufacturerId })
  return structRead(contract, place, (fields) => {
    const length = fields("length")
    if (length > 0n) return { head: wordHex(fields("head")), length: Number(length) }
    const types = [{ type: "uint256" }, { type: "address" }, { type: "uint32" }] as const
    const registry = contracts[contract]?.address ?? address(0n)
    return { head: keccakHex(encodeParameters(types, [BigInt(chainId), registry, manufacturerId])), length: 0 }
  })
}

/** The head over all logs of a registry. */
export function globalLogRead(contract: LoggedContract): StorageRead<Hex> {
  const { slot } = locate(LAYOUT[contract], "_globalHead")
  return { contract, slots: [slot], decode: (words) => wordHex(wordAt(words, 0n)) }
}

/** The registry that follows this one; undefined while none is named. */
export function successorRead(contract: "devices" | "firmware"): StorageRead<Successor | undefined> {
  return structRead(contract, locate(LAYOUT[contract], "_successor"), (fields) => {
    if (fields("registry") === 0n) return undefined
    return {
      chainId: fields("chainId"),
      registry: address(fields("registry")),
      codeHash: wordHex(fields("codeHash")),
    }
  })
}

/** The newest and the oldest security version of a product that may be installed. */
export function productRead(
  manufacturerId: number,
  product: Hex,
): StorageRead<{ readonly latest: bigint; readonly minimum: bigint }> {
  const path = ["_products", { key: manufacturerId }, { key: product }] as const
  const place = locate("FirmwareRegistry", ...path)
  const { slot } = locate("FirmwareRegistry", ...path, "latest")
  return {
    contract: "firmware",
    slots: [slot],
    decode: (words) => {
      const of = fieldOf(unpack("FirmwareRegistry", place, words))
      return { latest: of("latest"), minimum: of("minimum") }
    },
  }
}

/** The image of a security version; undefined if there is none. */
export function imageRead(manufacturerId: number, product: Hex, securityVersion: bigint): StorageRead<Hex | undefined> {
  const path = ["_products", { key: manufacturerId }, { key: product }, "images", { key: securityVersion }] as const
  const { slot } = locate("FirmwareRegistry", ...path)
  return {
    contract: "firmware",
    slots: [slot],
    decode: (words) => (wordAt(words, 0n) === 0n ? undefined : wordHex(wordAt(words, 0n))),
  }
}

export function releaseRead(manufacturerId: number, product: Hex, imageDigest: Hex): StorageRead<Release | undefined> {
  const path = ["_products", { key: manufacturerId }, { key: product }, "releases", { key: imageDigest }] as const
  const release = structRead("firmware", locate("FirmwareRegistry", ...path), (fields) => fields)
  const metaPlace = locate("FirmwareRegistry", ...path, "meta")
  return {
    ...release,
    decode: (words) => {
      const manifestDigest = release.decode(words)("manifestDigest")
      const start = Number(metaPlace.slot - (release.slots[0] ?? 0n))
      const of = fieldOf(unpack("FirmwareRegistry", metaPlace, words.slice(start)))
      if (of("releasedAt") === 0n) return undefined
      const signers: number[] = []
      for (let rest = of("signers"); rest !== 0n; rest >>= SIGNER_BITS) {
        signers.unshift(Number(BigInt.asUintN(Number(SIGNER_BITS), rest)))
      }
      return {
        manufacturerId,
        product,
        securityVersion: Number(of("securityVersion")),
        imageDigest,
        manifestDigest: manifestDigest === 0n ? undefined : wordHex(manifestDigest),
        releasedAt: Number(of("releasedAt")),
        recalledAt: timeOrNone(of("recalledAt")),
        threshold: Number(of("threshold")),
        signers,
      }
    },
  }
}

/** @param time The block's, in Unix seconds: a lower threshold takes effect by itself. */
export function thresholdRead(manufacturerId: number, time: number): StorageRead<ReleaseThreshold> {
  const place = locate("FirmwareRegistry", "_thresholds", { key: manufacturerId })
  return structRead("firmware", place, (fields) => {
    const [threshold, from] = [Number(fields("pending")), Number(fields("pendingAt"))]
    // A manufacturer that never set one needs one signature.
    const current = Math.max(1, Number(fields("current")))
    if (threshold === 0) return { current, pending: undefined }
    if (time >= from) return { current: threshold, pending: undefined }
    return { current, pending: { threshold, from } }
  })
}

function structRead<T>(
  contract: ContractName,
  place: StoragePlace,
  decode: (fields: (name: string) => bigint, words: readonly bigint[]) => T,
): StorageRead<T> {
  const layout = LAYOUT[contract]
  return {
    contract,
    slots: slotsOf(layout, place),
    decode: (words) => decode(fieldOf(unpack(layout, place, words)), words),
  }
}

/** A field that the layout does not have is a fault of this file, which the tests of the layout find. */
function fieldOf(fields: Readonly<Record<string, bigint>>): (name: string) => bigint {
  return (name) => {
    const value = fields[name]
    if (value === undefined) throw new TypeError(`the storage layout has no field ${name}`)
    return value
  }
}

function wordAt(words: readonly bigint[], index: bigint): bigint {
  const word = words[Number(index)]
  if (word === undefined) throw new TypeError(`a storage read lacks word ${index}`)
  return word
}

function timeOrNone(value: bigint): number | undefined {
  return value === 0n ? undefined : Number(value)
}

function flag(value: bigint, what: string): boolean {
  if (value > 1n) throw new StoredValueInvalidError({ what, expected: "true or false", found: String(value) })
  return value === 1n
}

/** A number that this version has no name for is never taken for one that it has. */
function known<T>(names: readonly (T | undefined)[], value: bigint, what: string): T {
  const name = names[Number(value)]
  if (name === undefined) throw new StoredValueInvalidError({ what, expected: "a known value", found: String(value) })
  return name
}

function address(value: bigint): Hex {
  return `0x${value.toString(16).padStart(40, "0")}`
}

function addressOrNone(value: bigint): Hex | undefined {
  return value === 0n ? undefined : address(value)
}
