import type { ContractFunctionReturnType } from "viem"
import { firmwareRegistryAbi } from "../abi/FirmwareRegistry.ts"
import type { Hex } from "../crypto/hex.ts"
import { FirmwareRegistryMissingError } from "../errors/firmware.ts"
import { ReplyMalformedError } from "../errors/ledger.ts"
import type { BlockCalls } from "./blockCalls.ts"
import type { ViewCall, ViewName } from "./contractCalls.ts"
import type { Deployment } from "./deployment.ts"
import { readEvents } from "./events.ts"
import type { Block, Release, ReleaseTexts, ReleaseThreshold } from "./ledger.ts"
import { assertCount, assertHash32, assertUint32 } from "./limits.ts"
import type { JsonRpc } from "./rpc/jsonRpc.ts"

const ZERO_HASH = `0x${"0".repeat(64)}` as const

type Parts = { deployment: Deployment; rpc: JsonRpc; block: Block; calls: BlockCalls }

/** The registry of firmware at one block of one node: the part of `RpcView` that concerns releases. */
export class RpcReleases {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  async release(manufacturerId: number, product: Hex, securityVersion: number): Promise<Release | undefined> {
    assertProduct(manufacturerId, product)
    assertCount(securityVersion, "a security version")
    const args = [manufacturerId, product, BigInt(securityVersion)] as const
    const found = await this.#read({ abi: firmwareRegistryAbi, functionName: "release", args })
    return releaseOf(manufacturerId, product, found)
  }

  async releaseByImage(manufacturerId: number, product: Hex, imageDigest: Hex): Promise<Release | undefined> {
    assertProduct(manufacturerId, product)
    assertHash32(imageDigest, "an image's digest")
    const args = [manufacturerId, product, imageDigest] as const
    const found = await this.#read({ abi: firmwareRegistryAbi, functionName: "releaseByImage", args })
    return releaseOf(manufacturerId, product, found)
  }

  async latestRelease(manufacturerId: number, product: Hex): Promise<Release | undefined> {
    assertProduct(manufacturerId, product)
    const args = [manufacturerId, product] as const
    const found = await this.#read({ abi: firmwareRegistryAbi, functionName: "latest", args })
    return releaseOf(manufacturerId, product, found)
  }

  async minimumSecurityVersion(manufacturerId: number, product: Hex): Promise<number> {
    assertProduct(manufacturerId, product)
    const args = [manufacturerId, product] as const
    const found = await this.#read({ abi: firmwareRegistryAbi, functionName: "minimumSecurityVersion", args })
    return safeNumber(found, "minimumSecurityVersion")
  }

  async releaseThreshold(manufacturerId: number): Promise<ReleaseThreshold> {
    assertUint32(manufacturerId, "a manufacturer's id")
    const call = { abi: firmwareRegistryAbi, functionName: "threshold", args: [manufacturerId] } as const
    const [current, pending, from] = await this.#read(call)
    return { current, pending: pending === 0 ? undefined : { threshold: pending, from } }
  }

  async releaseTexts({ manufacturerId, product, imageDigest }: Release): Promise<ReleaseTexts | undefined> {
    const { deployment, rpc, block } = this.#parts
    const [event] = await readEvents(rpc, {
      abi: firmwareRegistryAbi,
      address: this.#address(),
      eventName: "ReleasePublished",
      args: { manufacturerId, product, imageDigest },
      fromBlock: deployment.block.number,
      toBlock: block.number,
    })
    if (event === undefined) return undefined
    return { version: event.args["version"] as string, uri: event.args["uri"] as string }
  }

  #read<name extends ViewName<typeof firmwareRegistryAbi>>(
    call: ViewCall<typeof firmwareRegistryAbi, name>,
  ): Promise<ContractFunctionReturnType<typeof firmwareRegistryAbi, "view" | "pure", name>> {
    return this.#parts.calls.read(this.#address(), call) as never
  }

  #address(): Hex {
    const { firmware } = this.#parts.deployment.contracts
    if (firmware === undefined) throw new FirmwareRegistryMissingError()
    return firmware.address
  }
}

type ReleaseReply = ContractFunctionReturnType<typeof firmwareRegistryAbi, "view", "release">

function releaseOf(manufacturerId: number, product: Hex, found: ReleaseReply): Release | undefined {
  if (found.releasedAt === 0) return undefined
  const manifestDigest = found.manifestDigest.toLowerCase() as Hex
  return {
    manufacturerId,
    product,
    securityVersion: safeNumber(found.securityVersion, "release.securityVersion"),
    imageDigest: found.imageDigest.toLowerCase() as Hex,
    manifestDigest: manifestDigest === ZERO_HASH ? undefined : manifestDigest,
    releasedAt: found.releasedAt,
    recalledAt: found.recalledAt === 0 ? undefined : found.recalledAt,
    threshold: found.threshold,
    signers: [...found.signers],
  }
}

function assertProduct(manufacturerId: number, product: Hex): void {
  assertUint32(manufacturerId, "a manufacturer's id")
  assertHash32(product, "a product")
}

/** The contract gives no security version beyond 2^40. */
function safeNumber(value: bigint, what: string): number {
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value)
  throw new ReplyMalformedError({ what, expected: "at most 2^53-1", found: String(value) })
}
