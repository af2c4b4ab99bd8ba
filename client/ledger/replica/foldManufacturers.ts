import type { Hex } from "../../crypto/hex.ts"
import { keyIdentifiersOf } from "../../x509/keyIdentifiers.ts"
import type { KeyRegistration } from "../keyEvents.ts"
import type { LedgerKey, Manufacturer } from "../ledger.ts"
import type { LogEntry, LoggedEvent } from "./logCodec.ts"
import { Versions } from "./versions.ts"

/** Takes back what an entry did. Called in reverse order. */
export type Undo = () => void

/** Refuses an entry that no contract could have written. */
export type Refuse = (what: string) => never

/** What the possession proof of a `KeyAdded` came to; undefined: not proven, so the key counts as absent. */
export type KeyFinding = Omit<KeyRegistration, "blockNumber"> | undefined

/** A manufacturer as stored: a suspension that lapses by time still stands there. */
export type StoredManufacturer = {
  readonly manufacturer: Manufacturer
  /** How often the controller was replaced: that ends what earlier ones granted. */
  readonly epoch: number
}

export type StoredGrant = { readonly rights: number; readonly until: number; readonly epoch: number }

type KeyPlace = { readonly entry: number; readonly manufacturerId: number; readonly keyIndex: number }

type ManufacturerLog = {
  readonly stored: Versions<StoredManufacturer>
  readonly operators: Map<Hex, Versions<StoredGrant>>
  /** Keys whose possession was not proven are `undefined`. */
  readonly keys: Map<number, Versions<LedgerKey> | undefined>
}

type ManufacturerEvent = Extract<LoggedEvent, { contract: "manufacturers" }>

const ZERO_ADDRESS = `0x${"00".repeat(20)}`

/** What the log of the ManufacturerRegistry adds up to, after any of its entries. */
export class ManufacturerFold {
  readonly #manufacturers = new Map<number, ManufacturerLog>()
  readonly #byKeyId = new Map<Hex, KeyPlace[]>()
  readonly #byIdentifier = new Map<Hex, KeyPlace[]>()

  /** @param finding Of a `KeyAdded` only. */
  apply(number: number, entry: LogEntry, event: ManufacturerEvent, finding: KeyFinding, refuse: Refuse): Undo {
    const { manufacturerId, timestamp } = entry
    if (event.name === "ManufacturerAdmitted") return this.#admit(number, entry, event.args, refuse)

    const known = this.#manufacturers.get(manufacturerId)
    const before = known?.stored.last
    if (known === undefined || before === undefined) return refuse("there is no such manufacturer")
    const change = (changes: Partial<Manufacturer>, epoch = before.epoch): Undo => {
      known.stored.set(number, { manufacturer: { ...before.manufacturer, ...changes }, epoch })
      return () => {
        known.stored.undo()
      }
    }
    switch (event.name) {
      case "ManufacturerSuspended":
        return change({ status: "suspended", statusSince: timestamp, suspendedUntil: event.args.until })
      case "SuspensionConfirmed":
        return change({ suspendedUntil: undefined })
      case "ManufacturerResumed":
        return change({ status: "active", statusSince: timestamp, suspendedUntil: undefined })
      case "ManufacturerLeft":
        return change({ status: "left", statusSince: timestamp, suspendedUntil: undefined })
      case "MetadataURIChanged":
        return change({ metadataURI: event.args.metadataURI })
      case "ControllerTransferStarted":
        return change({ pendingController: addressOrNone(event.args.pendingController) })
      case "ControllerTransferred":
        return change({ controller: event.args.controller, pendingController: undefined })
      case "ControllerReplacementProposed":
        return change({
          proposedController: event.args.proposedController,
          replacementAt: event.args.replacementAt,
        })
      case "ControllerReplacementVetoed":
        return change({ proposedController: undefined, replacementAt: undefined })
      case "ControllerReplaced":
        return change(
          {
            controller: event.args.controller,
            pendingController: undefined,
            proposedController: undefined,
            replacementAt: undefined,
          },
          before.epoch + 1,
        )
      case "OperatorSet":
        return grant(known, number, event.args, before.epoch)
      case "KeyAdded":
        return this.#addKey(known, number, entry, event.args, finding, change, refuse)
      case "KeyRevoked":
        return changeKey(known, number, event.args.keyIndex, { revokedAt: timestamp }, refuse)
      case "KeyCompromised":
        return changeKey(known, number, event.args.keyIndex, { compromisedSince: event.args.since }, refuse)
    }
  }

  ids(): Iterable<number> {
    return this.#manufacturers.keys()
  }

  stored(manufacturerId: number, count: number): StoredManufacturer | undefined {
    return this.#manufacturers.get(manufacturerId)?.stored.after(count)
  }

  grant(manufacturerId: number, account: Hex, count: number): StoredGrant | undefined {
    return this.#manufacturers.get(manufacturerId)?.operators.get(account)?.after(count)
  }

  key(manufacturerId: number, keyIndex: number, count: number): LedgerKey | undefined {
    return this.#manufacturers.get(manufacturerId)?.keys.get(keyIndex)?.after(count)
  }

  /** The proven keys with a key id, in the order of registration. */
  keysById(keyId: Hex, count: number): LedgerKey[] {
    return this.#keysAt(this.#byKeyId.get(keyId), count)
  }

  /** The proven keys that an authorityKeyIdentifier may mean, in the order of registration. */
  keysByIdentifier(identifier: Hex, count: number): LedgerKey[] {
    return this.#keysAt(this.#byIdentifier.get(identifier), count)
  }

  #keysAt(places: readonly KeyPlace[] | undefined, count: number): LedgerKey[] {
    return (places ?? []).flatMap(({ entry, manufacturerId, keyIndex }) => {
      const key = entry < count ? this.key(manufacturerId, keyIndex, count) : undefined
      return key === undefined ? [] : [key]
    })
  }

  #admit(
    number: number,
    { manufacturerId, timestamp }: LogEntry,
    args: Extract<ManufacturerEvent, { name: "ManufacturerAdmitted" }>["args"],
    refuse: Refuse,
  ): Undo {
    if (this.#manufacturers.has(manufacturerId)) refuse("the manufacturer is there")
    const stored = new Versions<StoredManufacturer>()
    const manufacturer: Manufacturer = {
      id: manufacturerId,
      name: args.name,
      metadataURI: args.metadataURI,
      controller: args.controller,
      pendingController: undefined,
      proposedController: undefined,
      replacementAt: undefined,
      status: "active",
      statusSince: timestamp,
      suspendedUntil: undefined,
      keyCount: 0,
    }
    stored.set(number, { manufacturer, epoch: 0 })
    this.#manufacturers.set(manufacturerId, { stored, operators: new Map(), keys: new Map() })
    return () => {
      this.#manufacturers.delete(manufacturerId)
    }
  }

  #addKey(
    known: ManufacturerLog,
    number: number,
    { manufacturerId, timestamp }: LogEntry,
    args: Extract<ManufacturerEvent, { name: "KeyAdded" }>["args"],
    finding: KeyFinding,
    change: (changes: Partial<Manufacturer>) => Undo,
    refuse: Refuse,
  ): Undo {
    const { keyIndex } = args
    if (known.keys.has(keyIndex) || keyIndex !== known.keys.size + 1) refuse(`key ${keyIndex} does not come next`)
    const undoCount = change({ keyCount: keyIndex })
    if (finding === undefined) {
      known.keys.set(keyIndex, undefined)
      return () => {
        known.keys.delete(keyIndex)
        undoCount()
      }
    }
    const { keyId, purpose, proven, spki } = finding
    const versions = new Versions<LedgerKey>()
    versions.set(number, {
      manufacturerId,
      index: keyIndex,
      keyId,
      purpose,
      proven,
      registeredAt: timestamp,
      notBefore: args.notBefore,
      notAfter: args.notAfter,
      revokedAt: undefined,
      compromisedSince: undefined,
      spki,
    })
    known.keys.set(keyIndex, versions)
    const place = { entry: number, manufacturerId, keyIndex }
    const identifiers = new Set([keyId, ...keyIdentifiersOf(spki)])
    addTo(this.#byKeyId, keyId, place)
    for (const identifier of identifiers) addTo(this.#byIdentifier, identifier, place)
    return () => {
      for (const identifier of identifiers) this.#byIdentifier.get(identifier)?.pop()
      this.#byKeyId.get(keyId)?.pop()
      known.keys.delete(keyIndex)
      undoCount()
    }
  }
}

function grant(
  known: ManufacturerLog,
  number: number,
  { operator, rights, until }: { operator: Hex; rights: number; until: number },
  epoch: number,
): Undo {
  const versions = known.operators.get(operator) ?? new Versions<StoredGrant>()
  known.operators.set(operator, versions)
  versions.set(number, { rights, until, epoch })
  return () => {
    versions.undo()
  }
}

function changeKey(
  known: ManufacturerLog,
  number: number,
  keyIndex: number,
  changes: Pick<LedgerKey, "revokedAt"> | Pick<LedgerKey, "compromisedSince">,
  refuse: Refuse,
): Undo {
  if (!known.keys.has(keyIndex)) refuse(`there is no key ${keyIndex}`)
  const versions = known.keys.get(keyIndex)
  const key = versions?.last
  // Of a key that nobody proved there is nothing to change.
  if (versions === undefined || key === undefined) return () => undefined
  versions.set(number, { ...key, ...changes })
  return () => {
    versions.undo()
  }
}

function addTo<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}

function addressOrNone(address: Hex): Hex | undefined {
  return address === ZERO_ADDRESS ? undefined : address
}
