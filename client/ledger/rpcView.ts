import type { Abi, ContractFunctionReturnType } from "viem"
import { deviceRegistryAbi } from "../abi/DeviceRegistry.ts"
import { manufacturerRegistryAbi } from "../abi/ManufacturerRegistry.ts"
import type { Hex } from "../crypto/hex.ts"
import { keyIdOf } from "../crypto/keyId.ts"
import { HistoryUnavailableError, KeyOwnerAmbiguousError, ReplyMalformedError } from "../errors/ledger.ts"
import { decodeRevert, decodeView, encodeView } from "./contractCalls.ts"
import type { ViewCall, ViewName } from "./contractCalls.ts"
import type { Deployment } from "./deployment.ts"
import { readEvents } from "./events.ts"
import { KeyEvents, p256Spki } from "./keyEvents.ts"
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
} from "./ledger.ts"
import type { JsonRpc, RpcCall } from "./rpc/jsonRpc.ts"
import { isMissingState } from "./missingState.ts"

const STATUSES: readonly (ManufacturerStatus | undefined)[] = [undefined, "active", "suspended", "left"]
const PURPOSES: readonly (KeyPurpose | undefined)[] = [undefined, "issuer", "openIssuer", "firmware"]
const MARKS: readonly Mark[] = ["none", "held", "revoked"]
const ZERO_ADDRESS = "0x0000000000000000000000000000000000000000"

type ViewOptions = { deployment: Deployment; rpc: JsonRpc; keyEvents: KeyEvents; block: Block }
type Pending = { call: RpcCall; resolve: (value: unknown) => void; reject: (error: unknown) => void }

/** The registries at one block of one node. Calls of the same moment travel together; each question is asked once. */
export class RpcView implements LedgerView {
  readonly block: Block
  readonly evidence: Evidence
  readonly #deployment: Deployment
  readonly #rpc: JsonRpc
  readonly #keyEvents: KeyEvents
  readonly #answers = new Map<string, Promise<unknown>>()
  #pending: Pending[] = []

  constructor(options: ViewOptions) {
    this.block = options.block
    this.evidence = {
      kind: "singleNode",
      detail: `${options.rpc.endpoint} was believed about block ${options.block.number}`,
    }
    this.#deployment = options.deployment
    this.#rpc = options.rpc
    this.#keyEvents = options.keyEvents
  }

  async manufacturer(manufacturerId: number): Promise<Manufacturer | undefined> {
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

  async key(manufacturerId: number, keyIndex: number): Promise<LedgerKey | undefined> {
    const found = await this.#manufacturers(
      { abi: manufacturerRegistryAbi, functionName: "key", args: [manufacturerId, keyIndex] },
      "KeyUnknown",
    )
    if (found === undefined) return undefined
    const keyId = lower(found.keyId)
    const spki = found.proven ? p256Spki(found.x, found.y) : await this.#claimedSpki(manufacturerId, keyIndex)
    if (spki === undefined) return undefined
    if (keyIdOf(spki) !== keyId) {
      throw new ReplyMalformedError({
        what: `key ${keyIndex} of ${manufacturerId}`,
        expected: keyId,
        found: keyIdOf(spki),
      })
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
    const [owner, index] = (await this.#read(this.#deployment.contracts.manufacturers.address, {
      abi: manufacturerRegistryAbi,
      functionName: "provenKey",
      args: [keyId],
    })) as readonly [number, number]
    if (index !== 0) return this.key(owner, index)
    // The contract knows only the keys it could check; of the others the events tell.
    const claims = (await this.#keyEvents.upTo(this.block)).filter((key) => key.keyId === keyId)
    const owners = [...new Set(claims.map((key) => key.manufacturerId))]
    if (owners.length > 1) throw new KeyOwnerAmbiguousError({ keyId, owners })
    const claim = claims[0]
    return claim === undefined ? undefined : this.key(claim.manufacturerId, claim.keyIndex)
  }

  async keysByIdentifier(identifier: Hex): Promise<readonly LedgerKey[]> {
    const registrations = await this.#keyEvents.byIdentifier(identifier, this.block)
    const ids = [...new Set(registrations.map((key) => key.keyId))]
    const keys = await Promise.all(ids.map((keyId) => this.keyById(keyId)))
    return keys.filter((key) => key !== undefined)
  }

  async batch(manufacturerId: number, series: number): Promise<Batch | undefined> {
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
    const deployed = this.#deployment.contracts[contract]
    if (deployed === undefined) {
      throw new ReplyMalformedError({ what: "a log head", expected: "a contract of the deployment", found: contract })
    }
    const [head, length] = (await this.#read(deployed.address, {
      abi: deviceRegistryAbi,
      functionName: "logHead",
      args: [manufacturerId],
    })) as readonly [Hex, bigint]
    return { head: lower(head), length: Number(length) }
  }

  async #claimedSpki(manufacturerId: number, keyIndex: number): Promise<Uint8Array | undefined> {
    const keys = await this.#keyEvents.upTo(this.block)
    return keys.find((key) => key.manufacturerId === manufacturerId && key.keyIndex === keyIndex)?.spki
  }

  #devices<name extends ViewName<typeof deviceRegistryAbi>>(
    call: ViewCall<typeof deviceRegistryAbi, name>,
  ): Promise<ContractFunctionReturnType<typeof deviceRegistryAbi, "view" | "pure", name>> {
    return this.#read(this.#deployment.contracts.devices.address, call) as never
  }

  async #manufacturers<name extends ViewName<typeof manufacturerRegistryAbi>>(
    call: ViewCall<typeof manufacturerRegistryAbi, name>,
    absentError: string,
  ): Promise<ContractFunctionReturnType<typeof manufacturerRegistryAbi, "view" | "pure", name> | undefined> {
    try {
      return (await this.#read(this.#deployment.contracts.manufacturers.address, call)) as never
    } catch (error) {
      // An unknown manufacturer has no keys either.
      const { errorName } = error as { errorName?: string }
      if (errorName === absentError || errorName === "ManufacturerUnknown") return undefined
      throw error
    }
  }

  #read<const abi extends Abi, name extends ViewName<abi>>(to: Hex, call: ViewCall<abi, name>): Promise<unknown> {
    const data = encodeView(call)
    const question = `${to}:${data}`
    const known = this.#answers.get(question)
    if (known !== undefined) return known
    const answer = this.#ask(to, data).then(
      (reply) => decodeView(call, reply),
      (error: unknown) => {
        const revert = decodeRevert(error, String(call.functionName))
        if (revert !== undefined) throw revert
        if (isMissingState(error)) {
          throw new HistoryUnavailableError({ what: `the state of block ${this.block.number}`, cause: error })
        }
        throw error
      },
    )
    this.#answers.set(question, answer)
    // A failed question may be asked again.
    answer.catch(() => this.#answers.delete(question))
    return answer
  }

  /** Calls made in the same turn of the event loop go out in one round trip, all at this block's hash (EIP-1898). */
  #ask(to: Hex, data: Hex): Promise<unknown> {
    const call: RpcCall = { method: "eth_call", params: [{ to, data }, { blockHash: this.block.hash }] }
    return new Promise((resolve, reject) => {
      this.#pending.push({ call, resolve, reject })
      if (this.#pending.length === 1) queueMicrotask(() => void this.#flush())
    })
  }

  async #flush(): Promise<void> {
    // One more turn, so that callers that wait for each other's first lines get in too.
    await Promise.resolve()
    const batch = this.#pending
    this.#pending = []
    try {
      const replies = await this.#rpc.requestMany(batch.map(({ call }) => call))
      batch.forEach(({ resolve }, i) => {
        resolve(replies[i])
      })
    } catch (error) {
      if (batch.length === 1) return void batch[0]?.reject(error)
      // One refused call fails the round trip whole; asked alone, each gets its own answer.
      for (const { call, resolve, reject } of batch) this.#rpc.request(call).then(resolve, reject)
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
