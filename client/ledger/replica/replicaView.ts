import { FirmwareRegistryMissingError } from "../../errors/firmware.ts"
import { ReplyMalformedError } from "../../errors/ledger.ts"
import type { Hex } from "../../crypto/hex.ts"
import type { Deployment } from "../deployment.ts"
import type {
  Batch,
  BitRevocation,
  Block,
  CredentialRecord,
  Evidence,
  LedgerKey,
  LedgerView,
  LoggedContract,
  LogHead,
  Manufacturer,
  OperatorGrant,
  Release,
  ReleaseTexts,
  ReleaseThreshold,
} from "../ledger.ts"
import { assertAddress, assertCount, assertHash32, assertUint32 } from "../limits.ts"
import type { LogState } from "./logState.ts"

/** A replica's state as a view of the ledger: the same answers, the same refusals of bad questions. */
export class ReplicaView implements LedgerView {
  readonly block: Block
  readonly evidence: Evidence
  /** The same picture without waiting. */
  readonly state: LogState
  readonly #deployment: Deployment

  constructor(options: { state: LogState; evidence: Evidence; deployment: Deployment }) {
    this.state = options.state
    this.block = options.state.block
    this.evidence = options.evidence
    this.#deployment = options.deployment
  }

  async manufacturer(manufacturerId: number): Promise<Manufacturer | undefined> {
    assertUint32(manufacturerId, "a manufacturer's id")
    return this.state.manufacturer(manufacturerId)
  }

  async operator(manufacturerId: number, account: Hex): Promise<OperatorGrant | undefined> {
    assertUint32(manufacturerId, "a manufacturer's id")
    assertAddress(account, "an account")
    return this.state.operator(manufacturerId, account)
  }

  async key(manufacturerId: number, keyIndex: number): Promise<LedgerKey | undefined> {
    assertUint32(manufacturerId, "a manufacturer's id")
    assertUint32(keyIndex, "a key's index")
    return this.state.key(manufacturerId, keyIndex)
  }

  async keyById(keyId: Hex): Promise<LedgerKey | undefined> {
    assertHash32(keyId, "a key id")
    return this.state.keyById(keyId)
  }

  async keysByIdentifier(identifier: Hex): Promise<readonly LedgerKey[]> {
    return this.state.keysByIdentifier(identifier)
  }

  async batch(manufacturerId: number, series: number): Promise<Batch | undefined> {
    assertUint32(manufacturerId, "a manufacturer's id")
    assertUint32(series, "a series")
    return this.state.batch(manufacturerId, series)
  }

  async word(manufacturerId: number, series: number, word: number): Promise<bigint> {
    const [bits] = await this.words(manufacturerId, series, word, 1)
    return bits as bigint
  }

  async words(manufacturerId: number, series: number, firstWord: number, count: number): Promise<readonly bigint[]> {
    assertUint32(manufacturerId, "a manufacturer's id")
    assertUint32(series, "a series")
    assertUint32(firstWord, "a word")
    assertUint32(count, "the number of words")
    return this.state.words(manufacturerId, series, firstWord, count)
  }

  async bitRevocation(manufacturerId: number, series: number, index: number): Promise<BitRevocation | undefined> {
    return this.state.bitRevocation(manufacturerId, series, index)
  }

  async record(manufacturerId: number, subject: Hex): Promise<CredentialRecord> {
    assertUint32(manufacturerId, "a manufacturer's id")
    assertHash32(subject, "a subject")
    return this.state.record(manufacturerId, subject)
  }

  async logHead(contract: LoggedContract, manufacturerId: number): Promise<LogHead> {
    assertUint32(manufacturerId, "a manufacturer's id")
    this.#assertLogged(contract)
    return this.state.logHead(contract, manufacturerId)
  }

  async globalLogHead(contract: LoggedContract): Promise<Hex> {
    this.#assertLogged(contract)
    return this.state.globalLogHead(contract)
  }

  async release(manufacturerId: number, product: Hex, securityVersion: number): Promise<Release | undefined> {
    this.#assertProduct(manufacturerId, product)
    assertCount(securityVersion, "a security version")
    return this.state.release(manufacturerId, product, securityVersion)
  }

  async releaseByImage(manufacturerId: number, product: Hex, imageDigest: Hex): Promise<Release | undefined> {
    this.#assertProduct(manufacturerId, product)
    assertHash32(imageDigest, "an image's digest")
    return this.state.releaseByImage(manufacturerId, product, imageDigest)
  }

  async latestRelease(manufacturerId: number, product: Hex): Promise<Release | undefined> {
    this.#assertProduct(manufacturerId, product)
    return this.state.latestRelease(manufacturerId, product)
  }

  async minimumSecurityVersion(manufacturerId: number, product: Hex): Promise<number> {
    this.#assertProduct(manufacturerId, product)
    return this.state.minimumSecurityVersion(manufacturerId, product)
  }

  async releaseThreshold(manufacturerId: number): Promise<ReleaseThreshold> {
    assertUint32(manufacturerId, "a manufacturer's id")
    this.#assertFirmware()
    return this.state.releaseThreshold(manufacturerId)
  }

  async releaseTexts(release: Release): Promise<ReleaseTexts | undefined> {
    this.#assertFirmware()
    return this.state.releaseTexts(release)
  }

  #assertProduct(manufacturerId: number, product: Hex): void {
    assertUint32(manufacturerId, "a manufacturer's id")
    assertHash32(product, "a product")
    this.#assertFirmware()
  }

  #assertFirmware(): void {
    if (this.#deployment.contracts.firmware === undefined) throw new FirmwareRegistryMissingError()
  }

  #assertLogged(contract: LoggedContract): void {
    if (this.#deployment.contracts[contract] !== undefined) return
    throw new ReplyMalformedError({ what: "a log head", expected: "a contract of the deployment", found: contract })
  }
}
