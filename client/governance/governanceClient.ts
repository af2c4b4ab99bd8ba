import { fleetrootAccessAbi } from "../abi/FleetrootAccess.ts"
import { manufacturerRegistryAbi } from "../abi/ManufacturerRegistry.ts"
import type { Hex } from "../crypto/hex.ts"
import { ReplyMalformedError } from "../errors/ledger.ts"
import { encodeCall } from "../ledger/abi/functionData.ts"
import { decodeView, encodeView } from "../ledger/contractCalls.ts"
import type { Ledger, Manufacturer } from "../ledger/ledger.ts"
import { assertAddress } from "../ledger/limits.ts"
import { readEvents } from "../ledger/events.ts"
import type { JsonRpc } from "../ledger/rpc/jsonRpc.ts"
import { isRevert } from "../ledger/writer.ts"
import type { LedgerWriter, Mined, WriteCall } from "../ledger/writer.ts"

export type GovernanceClientOptions = { ledger: Ledger; writer: LedgerWriter; rpc: JsonRpc }

export type Admission = { controller: Hex; name: string; metadataURI?: string }

/**
 * What became of an admission: done, or waiting for its delay. A second call with the same arguments carries it out once it is due.
 */
export type AdmissionResult =
  | { readonly state: "admitted"; readonly manufacturerId: number; readonly transaction: Mined | null }
  | { readonly state: "scheduled"; readonly dueAt: Date; readonly transaction: Mined | null }

type AdmitCall = WriteCall<typeof manufacturerRegistryAbi, "admit">

/** What the consortium and the guardian do. */
export class GovernanceClient {
  readonly #ledger: Ledger
  readonly #writer: LedgerWriter
  readonly #rpc: JsonRpc

  constructor({ ledger, writer, rpc }: GovernanceClientOptions) {
    this.#ledger = ledger
    this.#writer = writer
    this.#rpc = rpc
  }

  /** Admits a manufacturer, or schedules its admission where the consortium must wait. */
  async admit({ controller, name, metadataURI = "" }: Admission): Promise<AdmissionResult> {
    assertAddress(controller, "a controller")
    const data = encodeCall({
      abi: manufacturerRegistryAbi,
      functionName: "admit",
      args: [controller, name, metadataURI],
    })
    const { access, manufacturers } = this.#ledger.deployment.contracts
    const admission = {
      to: manufacturers.address,
      abi: manufacturerRegistryAbi,
      functionName: "admit",
      args: [controller, name, metadataURI],
      once: true,
    } as const
    // Carried out before the run that did it could say so: the schedule no longer shows it.
    const earlier = await this.#writer.resume(admission)
    if (earlier !== undefined) return this.#tell(admission, earlier)
    const immediate = await this.#mayCallNow(data)
    const due = immediate ? undefined : await this.#scheduledFor(data)
    const now = (await this.#ledger.at("latest")).block.timestamp
    if (due === 0) {
      const transaction = await this.#writer.write({
        to: access.address,
        abi: fleetrootAccessAbi,
        functionName: "schedule",
        args: [manufacturers.address, data, 0],
      })
      return { state: "scheduled", dueAt: new Date((await this.#scheduledFor(data)) * 1000), transaction }
    }
    if (due !== undefined && due > now) {
      return { state: "scheduled", dueAt: new Date(due * 1000), transaction: null }
    }
    return this.#tell(admission, await this.#writer.write(admission))
  }

  /** Suspends a manufacturer at once; null if it is suspended. By a guardian. */
  async suspend(manufacturerId: number): Promise<Mined | null> {
    const { manufacturer, seenAt } = await this.#read(manufacturerId)
    if (manufacturer?.status === "suspended") return null
    return this.#write("suspend", manufacturerId, seenAt)
  }

  /** Makes a suspension last until it is ended. By the consortium. */
  async confirmSuspension(manufacturerId: number): Promise<Mined | null> {
    const { manufacturer, seenAt } = await this.#read(manufacturerId)
    if (manufacturer?.status === "suspended" && manufacturer.suspendedUntil === undefined) return null
    return this.#write("confirmSuspension", manufacturerId, seenAt)
  }

  /** Ends a suspension at once; null if there is none. By the consortium. */
  async resume(manufacturerId: number): Promise<Mined | null> {
    const { manufacturer, seenAt } = await this.#read(manufacturerId)
    if (manufacturer?.status === "active") return null
    return this.#write("resume", manufacturerId, seenAt)
  }

  async #read(manufacturerId: number): Promise<{ manufacturer: Manufacturer | undefined; seenAt: number }> {
    const view = await this.#ledger.at("latest")
    return { manufacturer: await view.manufacturer(manufacturerId), seenAt: view.block.number }
  }

  #write(
    functionName: "suspend" | "confirmSuspension" | "resume",
    manufacturerId: number,
    seenAt: number,
  ): Promise<Mined> {
    return this.#writer.write({
      to: this.#ledger.deployment.contracts.manufacturers.address,
      abi: manufacturerRegistryAbi,
      functionName,
      args: [manufacturerId],
      seenAt,
    })
  }

  async #mayCallNow(data: Hex): Promise<boolean> {
    const { access, manufacturers } = this.#ledger.deployment.contracts
    const call = {
      abi: fleetrootAccessAbi,
      functionName: "canCall",
      args: [this.#writer.address, manufacturers.address, data.slice(0, 10) as Hex],
    } as const
    const [immediate] = decodeView(call, await this.#call(access.address, encodeView(call)))
    return immediate
  }

  /** When the call may be carried out, in Unix seconds; 0 if it is not scheduled. */
  async #scheduledFor(data: Hex): Promise<number> {
    const { access, manufacturers } = this.#ledger.deployment.contracts
    const hashCall = {
      abi: fleetrootAccessAbi,
      functionName: "hashOperation",
      args: [this.#writer.address, manufacturers.address, data],
    } as const
    const operationId = decodeView(hashCall, await this.#call(access.address, encodeView(hashCall)))
    const call = { abi: fleetrootAccessAbi, functionName: "getSchedule", args: [operationId] } as const
    return decodeView(call, await this.#call(access.address, encodeView(call)))
  }

  #call(to: Hex, data: Hex): Promise<unknown> {
    return this.#rpc.request({ method: "eth_call", params: [{ to, data }, "latest"] })
  }

  async #tell(admission: AdmitCall, transaction: Mined): Promise<AdmissionResult> {
    const events = await readEvents(this.#rpc, {
      abi: manufacturerRegistryAbi,
      address: this.#ledger.deployment.contracts.manufacturers.address,
      eventName: "ManufacturerAdmitted",
      fromBlock: transaction.blockNumber,
      toBlock: transaction.blockNumber,
    })
    const manufacturerId = events.find((event) => event.transactionHash === transaction.hash)?.args["manufacturerId"]
    if (typeof manufacturerId !== "number") {
      const what = "the admission's event"
      throw new ReplyMalformedError({ what, expected: "one in its transaction", found: `${events.length} others` })
    }
    await this.#writer.forget(admission)
    return { state: "admitted", manufacturerId, transaction }
  }
}

/** Whether an error says that the caller is not governance. */
export function isNotGovernance(error: unknown): boolean {
  return isRevert(error, "AccessManagedUnauthorized") || isRevert(error, "AccessManagerUnauthorizedCall")
}
