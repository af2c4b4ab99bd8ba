import type { Ledger, LedgerKey, Manufacturer } from "../ledger/ledger.ts"
import type { Hex } from "../crypto/hex.ts"
import { NumberOutOfRangeError } from "../errors/ledger.ts"
import { ManufacturerUnknownError } from "../errors/manufacturer.ts"
import { assertAddress, assertUint32, secondsOf } from "../ledger/limits.ts"
import type { JsonRpc } from "../ledger/rpc/jsonRpc.ts"
import type { LedgerWriter, Mined } from "../ledger/writer.ts"
import { holdBatch, revokeBatch, unholdBatch } from "./batchMarks.ts"
import { nextSeries, registerBatch } from "./batches.ts"
import type { RegisterBatchParameters } from "./batches.ts"
import { manufacturersTarget } from "./context.ts"
import type { WriteContext, WriteOutcome } from "./context.ts"
import { addKey, declareCompromise, listKeys, revokeKey } from "./keys.ts"
import type { AddKeyParameters } from "./keys.ts"
import { holdSubjects, registerCredentials, revokeSubjects, unholdSubjects } from "./marks.ts"
import type { LoneCredential, RevokeParameters, Subject } from "./marks.ts"
import { revokePlaces } from "./places.ts"

/** What an operator may do. */
export type OperatorRight = "register" | "revoke" | "release"

/** The rights' bits in the contract. */
export const OPERATOR_RIGHT = { register: 1, revoke: 2, release: 4 } as const satisfies Record<OperatorRight, number>

export type ManufacturerClientOptions = {
  ledger: Ledger
  /** Pays and signs: the controller's account, or an operator's. */
  writer: LedgerWriter
  rpc: JsonRpc
  manufacturerId: number
}

/**
 * Everything that a manufacturer does on the ledger. Every method first looks at what is there and pays only for what is missing,
 * so that a run that was killed can simply be run again.
 */
export class ManufacturerClient {
  readonly manufacturerId: number
  readonly #context: WriteContext

  constructor({ ledger, writer, rpc, manufacturerId }: ManufacturerClientOptions) {
    assertUint32(manufacturerId, "a manufacturer's id", 1)
    this.manufacturerId = manufacturerId
    this.#context = { ledger, writer, rpc }
  }

  /** @throws ManufacturerUnknownError */
  async manufacturer(): Promise<Manufacturer> {
    const found = await (await this.#context.ledger.at("latest")).manufacturer(this.manufacturerId)
    if (found === undefined) throw new ManufacturerUnknownError({ manufacturerId: this.manufacturerId })
    return found
  }

  /** Adds a key, which proves that it is held by signing a statement. @throws KeyTakenError */
  addKey(parameters: AddKeyParameters): Promise<{ key: LedgerKey; transaction: Mined | null }> {
    return addKey(this.#context, this.manufacturerId, parameters)
  }

  keys(): Promise<LedgerKey[]> {
    return listKeys(this.#context, this.manufacturerId)
  }

  /** Retires a key: it signs nothing new, what it signed stays good. Null if it was retired before. */
  revokeKey(keyIndex: number): Promise<Mined | null> {
    return revokeKey(this.#context, this.manufacturerId, keyIndex)
  }

  /** Voids everything that the key signed and that was anchored at `since` or later. */
  declareCompromise(keyIndex: number, since: Date): Promise<Mined | null> {
    return declareCompromise(this.#context, this.manufacturerId, keyIndex, since)
  }

  /** Gives an account exactly these rights until `until`, exclusive; null if it has them. */
  setOperator(operator: Hex, rights: readonly OperatorRight[], until: Date): Promise<Mined | null> {
    const bits = rights.reduce((sum, right) => sum | OPERATOR_RIGHT[right], 0)
    if (bits === 0) throw new NumberOutOfRangeError({ what: "the number of rights", found: 0, minimum: 1, maximum: 3 })
    return this.#setOperator(operator, bits, secondsOf(until, "the end of the rights"))
  }

  /** Takes all rights away from an account; null if it has none. */
  removeOperator(operator: Hex): Promise<Mined | null> {
    return this.#setOperator(operator, 0, 0)
  }

  /** Registers a batch of any size in one transaction. @throws SeriesUsedError, KeyMissingError, IssuerSignatureMissingError */
  registerBatch(parameters: RegisterBatchParameters): ReturnType<typeof registerBatch> {
    return registerBatch(this.#context, this.manufacturerId, parameters)
  }

  /** The next series that no batch has; `reserved`: for certificates whose serial numbers name their place. */
  async nextSeries({ reserved = false }: { reserved?: boolean } = {}): Promise<number> {
    return nextSeries(this.#context, await this.#context.ledger.at("latest"), this.manufacturerId, reserved)
  }

  /** Registers credentials of an `openIssuer` key one by one. */
  registerCredentials(keyIndex: number, credentials: readonly LoneCredential[]): Promise<WriteOutcome> {
    return registerCredentials(this.#context, this.manufacturerId, keyIndex, credentials)
  }

  /** Revokes credentials (by credential hash) or device keys (by key id), for ever. */
  revoke(subjects: readonly Subject[], parameters: RevokeParameters): Promise<WriteOutcome> {
    return revokeSubjects(this.#context, this.manufacturerId, subjects, parameters)
  }

  /** Revokes places of a batch by their bits: lots of 256 for the price of one. */
  revokePlaces(series: number, indices: Iterable<number>, reason: number): Promise<WriteOutcome> {
    return revokePlaces(this.#context, this.manufacturerId, series, indices, reason)
  }

  hold(subjects: readonly Subject[]): Promise<WriteOutcome> {
    return holdSubjects(this.#context, this.manufacturerId, subjects)
  }

  unhold(subjects: readonly Subject[]): Promise<WriteOutcome> {
    return unholdSubjects(this.#context, this.manufacturerId, subjects)
  }

  revokeBatch(series: number, reason: number): Promise<WriteOutcome> {
    return revokeBatch(this.#context, this.manufacturerId, series, reason)
  }

  holdBatch(series: number): Promise<WriteOutcome> {
    return holdBatch(this.#context, this.manufacturerId, series)
  }

  unholdBatch(series: number): Promise<WriteOutcome> {
    return unholdBatch(this.#context, this.manufacturerId, series)
  }

  async #setOperator(account: Hex, rights: number, until: number): Promise<Mined | null> {
    assertAddress(account, "an operator")
    const view = await this.#context.ledger.at("latest")
    const known = await view.operator(this.manufacturerId, account)
    if ((known?.rights ?? 0) === rights && (known?.until ?? 0) === until) return null
    return this.#context.writer.write({
      ...manufacturersTarget(this.#context),
      functionName: "setOperator",
      args: [this.manufacturerId, account, rights, until],
      seenAt: view.block.number,
    })
  }
}
