import { deviceRegistryAbi } from "../abi/DeviceRegistry.ts"
import type { Hex } from "../crypto/hex.ts"
import type { KeySigner } from "../crypto/signer.ts"
import { IssuerSignatureMissingError, SeriesUsedError } from "../errors/manufacturer.ts"
import { readEvents } from "../ledger/events.ts"
import type { Batch, LedgerView } from "../ledger/ledger.ts"
import { batchRegistrationStatement } from "../ledger/statements.ts"
import type { Mined } from "../ledger/writer.ts"
import { assertUint32, devicesTarget, signStatement, statementDomain } from "./context.ts"
import type { WriteContext } from "./context.ts"
import { keyOf } from "./keys.ts"

/** Series from here on, and raw public keys, need the issuer key's signature. */
export const RESERVED_SERIES = 0x8000_0000

export type RegisterBatchParameters = {
  root: Hex
  size: number
  /** When the last credential of the batch ends, in Unix seconds, inclusive. */
  notAfter: number
  /** Key id of the issuer key that signed the credentials. */
  issuerKeyId: Hex
  /** Default: the next free one. */
  series?: number
  /** Default: x509. */
  kind?: "x509" | "rawPublicKey"
  /** The issuer key's signer: then anybody may pay, and no operator right is needed. */
  issuer?: KeySigner
}

/**
 * Registers a batch of any size in one transaction. A batch with this root that is there already is left alone, wherever it is.
 *
 * @throws SeriesUsedError, KeyMissingError, IssuerSignatureMissingError, ContractRevertedError
 */
export async function registerBatch(
  context: WriteContext,
  manufacturerId: number,
  parameters: RegisterBatchParameters,
): Promise<{ batch: Batch; transaction: Mined | null }> {
  const { root, size, notAfter, issuerKeyId, issuer, kind = "x509" } = parameters
  const view = await context.ledger.at("latest")
  const key = await keyOf(view, manufacturerId, issuerKeyId, "issuer")
  const known =
    parameters.series === undefined
      ? await findByRoot(context, view, manufacturerId, root)
      : await view.batch(manufacturerId, parameters.series)
  if (known !== undefined) {
    if (known.root !== root || known.size !== size || known.keyIndex !== key.index) {
      throw new SeriesUsedError({ series: known.series, root: known.root, size: known.size })
    }
    return { batch: known, transaction: null }
  }

  const reserved = kind === "rawPublicKey"
  const series = parameters.series ?? (await nextSeries(context, view, manufacturerId, reserved))
  assertUint32(series, "a series", 1)
  const input = { series, size, keyIndex: key.index, notAfter, root }
  if (issuer === undefined) {
    if (series >= RESERVED_SERIES || kind !== "x509") throw new IssuerSignatureMissingError({ series, kind })
    const transaction = await context.writer.write({
      ...devicesTarget(context),
      functionName: "registerBatch",
      args: [manufacturerId, input],
    })
    return { batch: await registered(context, manufacturerId, series), transaction }
  }
  const statement = batchRegistrationStatement(statementDomain(context.ledger, "devices"), {
    manufacturerId,
    series,
    root,
    size,
    keyId: key.keyId,
    notAfter,
    kind,
  })
  const { r, s } = await signStatement(issuer, statement)
  const transaction = await context.writer.write({
    ...devicesTarget(context),
    functionName: "registerBatchFor",
    args: [manufacturerId, input, kind === "x509" ? 0 : 1, r, s],
  })
  return { batch: await registered(context, manufacturerId, series), transaction }
}

/** The next series that no batch has; `reserved`: from 2^31 on, for certificates whose serials name their place. */
export async function nextSeries(
  context: Pick<WriteContext, "ledger" | "rpc">,
  view: LedgerView,
  manufacturerId: number,
  reserved: boolean,
): Promise<number> {
  const used = await usedSeries(context, view, manufacturerId)
  const range = used.map(({ series }) => series).filter((series) => series >= RESERVED_SERIES === reserved)
  return Math.max(reserved ? RESERVED_SERIES - 1 : 0, ...range) + 1
}

/** The series and roots of all of a manufacturer's batches, in the order of their registration. */
export async function usedSeries(
  { ledger, rpc }: Pick<WriteContext, "ledger" | "rpc">,
  view: LedgerView,
  manufacturerId: number,
): Promise<{ series: number; root: Hex }[]> {
  const events = await readEvents(rpc, {
    abi: deviceRegistryAbi,
    address: ledger.deployment.contracts.devices.address,
    eventName: "BatchRegistered",
    args: { manufacturerId },
    fromBlock: ledger.deployment.block.number,
    toBlock: view.block.number,
  })
  return events.map(({ args }) => ({
    series: args["series"] as number,
    root: (args["root"] as Hex).toLowerCase() as Hex,
  }))
}

async function findByRoot(
  context: WriteContext,
  view: LedgerView,
  manufacturerId: number,
  root: Hex,
): Promise<Batch | undefined> {
  const found = (await usedSeries(context, view, manufacturerId)).find((batch) => batch.root === root)
  return found === undefined ? undefined : view.batch(manufacturerId, found.series)
}

async function registered({ ledger }: WriteContext, manufacturerId: number, series: number): Promise<Batch> {
  const batch = await (await ledger.at("latest")).batch(manufacturerId, series)
  if (batch === undefined) throw new SeriesUsedError({ series, root: "none", size: 0 })
  return batch
}
