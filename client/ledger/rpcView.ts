import type { ContractFunctionReturnType } from "viem"
import { deviceRegistryAbi } from "../abi/DeviceRegistry.ts"
import { manufacturerRegistryAbi } from "../abi/ManufacturerRegistry.ts"
import type { Hex } from "../crypto/hex.ts"
import { keyIdOf } from "../crypto/keyId.ts"
import { KeyOwnerAmbiguousError, ReplyMalformedError } from "../errors/ledger.ts"
import { BlockCalls } from "./blockCalls.ts"
import type { ViewCall, ViewName } from "./contractCalls.ts"
import type { Deployment } from "./deployment.ts"
import { readEvents } from "./events.ts"
import { p256Spki } from "./keyEvents.ts"
import type { KeyEvents } from "./keyEvents.ts"
import type {
  Batch,
  BitRevocation,
  Block,
  CredentialRecord,
  Evidence,
  KeyPurpose,
  LedgerKey,
  LedgerView,
  LogHead,
  LoggedContract,
  Manufacturer,
  ManufacturerStatus,
  Mark,
  OperatorGrant,
  Release,
  ReleaseTexts,
  ReleaseThreshold,
} from "./ledger.ts"
import { assertAddress, assertHash32, assertUint32 } from "./limits.ts"
import type { JsonRpc } from "./rpc/jsonRpc.ts"
import { RpcReleases } from "./rpcReleases.ts"

const STATUSES: readonly (ManufacturerStatus | undefined)[] = [undefined, "active", "suspended", "left"]
const PURPOSES: readonly (KeyPurpose | undefined)[] = [undefined, "issuer", "openIssuer", "firmware"]
const MARKS: readonly Mark[] = ["none", "held", "revoked"]
const ZERO_ADDRESS = "0x0000000000000000000000000000000000000000"

type ViewOptions = { deployment: Deployment; rpc: JsonRpc; keyEvents: KeyEvents; block: Block }

/** The registries at one block of one node. Calls of the same moment travel together; each question is asked once. */
export class RpcView implements LedgerView {
  readonly block: Block
  readonly evidence: Evidence
  readonly #deployment: Deployment
  readonly #rpc: JsonRpc
  readonly #keyEvents: KeyEvents
  readonly #calls: BlockCalls
  readonly #releases: RpcReleases

  constructor(options: ViewOptions) {
    this.block = options.block
    this.evidence = {
      kind: "singleNode",
      detail: `${options.rpc.endpoint} was believed about block ${options.block.number}`,
    }
    this.#deployment = options.deployment
    this.#rpc = options.rpc
    this.#keyEvents = options.keyEvents
    this.#calls = new BlockCalls(options.rpc, options.block)
    this.#releases = new RpcReleases({ ...options, calls: this.#calls })
  }

  async manufacturer(manufacturerId: number): Promise<Manufacturer | undefined> {
    assertUint32(manufacturerId, "a manufacturer's id")
    const found = await this.#manufacturers(
      { abi: manufacturerRegistryAbi, functionName: "manufacturer", args: [manufacturerId] },
      "ManufacturerUnknown",
    )
    if (found === undefined) return undefined
    const status = known(STATUSES[found.status], "manufacturer.status", found.status)
    return {
      id: manufacturerId,
      name: found.name,
      metadataURI: found.metadataURI,
      controller: lower(found.controller),
      pendingController: orUndefined(lower(found.pendingController), ZERO_ADDRESS),
      proposedController: orUndefined(lower(found.proposedController), ZERO_ADDRESS),
      replacementAt: orUndefined(found.replacementAt, 0),
      status,
      statusSince: found.statusSince,
      suspendedUntil: orUndefined(found.suspendedUntil, 0),
      keyCount: found.keyCount,
    }
  }

  async operator(manufacturerId: number, account: Hex): Promise<OperatorGrant | undefined> {
    assertUint32(manufacturerId, "a manufacturer's id")
    assertAddress(account, "an account")
    const call = { abi: manufacturerRegistryAbi, functionName: "operator", args: [manufacturerId, account] } as const
    const { address } = this.#deployment.contracts.manufacturers
    const [rights, until] = (await this.#calls.read(address, call)) as readonly [number, number]
    return rights === 0 ? undefined : { rights, until }
  }

  async key(manufacturerId: number, keyIndex: number): Promise<LedgerKey | undefined> {
    assertUint32(manufacturerId, "a manufacturer's id")
    assertUint32(keyIndex, "a key's index")
    const found = await this.#manufacturers(
      { abi: manufacturerRegistryAbi, functionName: "key", args: [manufacturerId, keyIndex] },
      "KeyUnknown",
    )
    if (found === undefined) return undefined
    const keyId = lower(found.keyId)
    const spki = found.proven ? p256Spki(found.x, found.y) : await this.#claimedSpki(manufacturerId, keyIndex, keyId)
    if (spki === undefined) return undefined
    if (keyIdOf(spki) !== keyId) {
      const what = `key ${keyIndex} of manufacturer ${manufacturerId}`
      throw new ReplyMalformedError({ what, expected: keyId, found: keyIdOf(spki) })
    }
    return {
      manufacturerId,
      index: keyIndex,
      keyId,
      purpose: known(PURPOSES[found.purpose], "key.purpose", found.purpose),
      proven: found.proven,
      registeredAt: found.registeredAt,
      notBefore: found.notBefore,
      notAfter: found.notAfter,
      revokedAt: orUndefined(found.revokedAt, 0),
      compromisedSince: orUndefined(found.compromisedSince, 0),
      spki,
    }
  }

  async keyById(keyId: Hex): Promise<LedgerKey | undefined> {
    assertHash32(keyId, "a key id")
    const [owner, index] = (await this.#calls.read(this.#deployment.contracts.manufacturers.address, {
      abi: manufacturerRegistryAbi,
      functionName: "provenKey",
      args: [keyId],
    })) as readonly [number, number]
    if (index !== 0) {
      const key = await this.key(owner, index)
      if (key?.keyId === keyId) return key
      const what = `key ${index} of manufacturer ${owner}`
      throw new ReplyMalformedError({ what, expected: keyId, found: key?.keyId ?? "none" })
    }
    // The contract knows only the keys it could check; of the others the events tell.
    const claims = (await this.#keyEvents.upTo(this.block)).filter((key) => key.keyId === keyId)
    const owners = [...new Set(claims.map((key) => key.manufacturerId))]
    if (owners.length > 1) throw new KeyOwnerAmbiguousError({ keyId, owners })
    const claim = claims[0]
    const key = claim === undefined ? undefined : await this.key(claim.manufacturerId, claim.keyIndex)
    // On another branch of the chain the index may be another key's: then the one asked for is not there.
    return key?.keyId === keyId ? key : undefined
  }

  async keysByIdentifier(identifier: Hex): Promise<readonly LedgerKey[]> {
    const registrations = await this.#keyEvents.byIdentifier(identifier, this.block)
    const ids = [...new Set(registrations.map((key) => key.keyId))]
    const keys = await Promise.all(ids.map((keyId) => this.keyById(keyId)))
    return keys.filter((key) => key !== undefined)
  }

  async batch(manufacturerId: number, series: number): Promise<Batch | undefined> {
    assertUint32(manufacturerId, "a manufacturer's id")
    assertUint32(series, "a series")
    const found = await this.#devices({ abi: deviceRegistryAbi, functionName: "batch", args: [manufacturerId, series] })
    if (found.size === 0) return undefined
    return {
      manufacturerId,
      series,
      root: lower(found.root),
      size: found.size,
      keyIndex: found.keyIndex,
      registeredAt: found.registeredAt,
      notAfter: found.notAfter,
      mark: known(MARKS[found.mark], "batch.mark", found.mark),
      byKey: (found.flags & 1) !== 0,
      rawPublicKeys: (found.flags & 2) !== 0,
      revokedCount: found.revokedCount,
      changedAt: found.changedAt,
      reason: found.reason,
    }
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
    const bits = await this.#devices({
      abi: deviceRegistryAbi,
      functionName: "words",
      args: [manufacturerId, series, BigInt(firstWord), BigInt(count)],
    })
    if (bits.length !== count) {
      throw new ReplyMalformedError({ what: "words", expected: `${count} words`, found: String(bits.length) })
    }
    return bits
  }

  async bitRevocation(manufacturerId: number, series: number, index: number): Promise<BitRevocation | undefined> {
    const events = await readEvents(this.#rpc, {
      abi: deviceRegistryAbi,
      address: this.#deployment.contracts.devices.address,
      eventName: "WordRevoked",
      args: { manufacturerId, series },
      fromBlock: this.#deployment.block.number,
      toBlock: this.block.number,
    })
    const bit = 1n << BigInt(index % 256)
    const event = events.find(
      ({ args }) => args["word"] === Math.floor(index / 256) && ((args["bits"] as bigint) & bit) !== 0n,
    )
    if (event === undefined) return undefined
    return { revokedAt: Number(event.args["timestamp"]), reason: event.args["reason"] as number }
  }

  async record(manufacturerId: number, subject: Hex): Promise<CredentialRecord> {
    assertUint32(manufacturerId, "a manufacturer's id")
    assertHash32(subject, "a subject")
    const found = await this.#devices({
      abi: deviceRegistryAbi,
      functionName: "record",
      args: [manufacturerId, subject],
    })
    return {
      manufacturerId,
      subject,
      registeredAt: orUndefined(found.registeredAt, 0),
      notAfter: orUndefined(found.notAfter, 0),
      keyIndex: found.keyIndex,
      mark: known(MARKS[found.mark], "record.mark", found.mark),
      changedAt: found.changedAt,
      reason: found.reason,
      invalidityDate: orUndefined(found.invalidityDate, 0),
    }
  }

  async logHead(contract: LoggedContract, manufacturerId: number): Promise<LogHead> {
    assertUint32(manufacturerId, "a manufacturer's id")
    const [head, length] = (await this.#calls.read(this.#logged(contract), {
      abi: deviceRegistryAbi,
      functionName: "logHead",
      args: [manufacturerId],
    })) as readonly [Hex, bigint]
    return { head: lower(head), length: Number(length) }
  }

  async globalLogHead(contract: LoggedContract): Promise<Hex> {
    const call = { abi: deviceRegistryAbi, functionName: "globalLogHead", args: [] } as const
    return lower((await this.#calls.read(this.#logged(contract), call)) as Hex)
  }

  release(manufacturerId: number, product: Hex, securityVersion: number): Promise<Release | undefined> {
    return this.#releases.release(manufacturerId, product, securityVersion)
  }

  releaseByImage(manufacturerId: number, product: Hex, imageDigest: Hex): Promise<Release | undefined> {
    return this.#releases.releaseByImage(manufacturerId, product, imageDigest)
  }

  latestRelease(manufacturerId: number, product: Hex): Promise<Release | undefined> {
    return this.#releases.latestRelease(manufacturerId, product)
  }

  minimumSecurityVersion(manufacturerId: number, product: Hex): Promise<number> {
    return this.#releases.minimumSecurityVersion(manufacturerId, product)
  }

  releaseThreshold(manufacturerId: number): Promise<ReleaseThreshold> {
    return this.#releases.releaseThreshold(manufacturerId)
  }

  releaseTexts(release: Release): Promise<ReleaseTexts | undefined> {
    return this.#releases.releaseTexts(release)
  }

  async #claimedSpki(manufacturerId: number, keyIndex: number, keyId: Hex): Promise<Uint8Array | undefined> {
    const keys = await this.#keyEvents.upTo(this.block)
    const claim = keys.find(
      (key) => key.manufacturerId === manufacturerId && key.keyIndex === keyIndex && key.keyId === keyId,
    )
    return claim?.spki
  }

  /** All registries keep their logs in one way. */
  #logged(contract: LoggedContract): Hex {
    const deployed = this.#deployment.contracts[contract]
    if (deployed !== undefined) return deployed.address
    throw new ReplyMalformedError({ what: "a log head", expected: "a contract of the deployment", found: contract })
  }

  #devices<name extends ViewName<typeof deviceRegistryAbi>>(
    call: ViewCall<typeof deviceRegistryAbi, name>,
  ): Promise<ContractFunctionReturnType<typeof deviceRegistryAbi, "view" | "pure", name>> {
    return this.#calls.read(this.#deployment.contracts.devices.address, call) as never
  }

  async #manufacturers<name extends ViewName<typeof manufacturerRegistryAbi>>(
    call: ViewCall<typeof manufacturerRegistryAbi, name>,
    absentError: string,
  ): Promise<ContractFunctionReturnType<typeof manufacturerRegistryAbi, "view" | "pure", name> | undefined> {
    try {
      return (await this.#calls.read(this.#deployment.contracts.manufacturers.address, call)) as never
    } catch (error) {
      // An unknown manufacturer has no keys either.
      const { errorName } = error as { errorName?: string }
      if (errorName === absentError || errorName === "ManufacturerUnknown") return undefined
      throw error
    }
  }
}

function lower(hex: string): Hex {
  return hex.toLowerCase() as Hex
}

function orUndefined<T>(value: T, absent: T): T | undefined {
  return value === absent ? undefined : value
}

/** A number that this version has no name for is never taken for one that it has. */
function known<T>(value: T | undefined, what: string, found: number): T {
  if (value === undefined) throw new ReplyMalformedError({ what, expected: "a known value", found: String(found) })
  return value
}
