import { deviceRegistryAbi } from "../abi/DeviceRegistry.ts"
import type { Hex } from "../crypto/hex.ts"
import type { KeySigner } from "../crypto/signer.ts"
import { IssuerSignatureMissingError, SeriesUsedError } from "../errors/manufacturer.ts"
import { TransactionFailedError } from "../errors/ledger.ts"
import { readEvents } from "../ledger/events.ts"
import type { Batch, LedgerKey, LedgerView } from "../ledger/ledger.ts"
import { assertHash32, assertTime, assertUint32 } from "../ledger/limits.ts"
import { batchRegistrationStatement } from "../ledger/statements.ts"
import type { Mined } from "../ledger/writer.ts"
import { devicesTarget, signStatement, statementDomain } from "./context.ts"
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
 * @throws SeriesUsedError, KeyMissingError, IssuerSignatureMissingError, ContractRevertedError, NumberOutOfRangeError,
 *   HashInvalidError
 */
export async function registerBatch(
  context: WriteContext,
  manufacturerId: number,
  parameters: RegisterBatchParameters,
): Promise<{ batch: Batch; transaction: Mined | null }> {
  const { root, size, notAfter, issuerKeyId, issuer, kind = "x509" } = parameters
  assertHash32(root, "a root")
  assertUint32(size, "a batch's size", 1)
  assertTime(notAfter, "a batch's end")
  if (parameters.series !== undefined) assertUint32(parameters.series, "a series", 1)
  const view = await context.ledger.at("latest")
  const key = await keyOf(view, manufacturerId, issuerKeyId, "issuer")
  const known = await find(context, view, manufacturerId, parameters)
  if (known !== undefined) return { batch: same(known, parameters, key), transaction: null }

  const series = parameters.series ?? (await nextSeries(context, view, manufacturerId, kind === "rawPublicKey"))
  const input = { series, size, keyIndex: key.index, notAfter, root }
  // In another run the next series, or the signature, would be another one; the deed is the same.
  const place = parameters.series === undefined ? "" : ` as series ${series}`
  const deed = {
    ...devicesTarget(context),
    intent: `batch ${root} of manufacturer ${manufacturerId}${place}`,
    seenAt: view.block.number,
  }
  let transaction: Mined
  if (issuer === undefined) {
    if (series >= RESERVED_SERIES || kind !== "x509") throw new IssuerSignatureMissingError({ series, kind })
    transaction = await context.writer.write({ ...deed, functionName: "registerBatch", args: [manufacturerId, input] })
  } else {
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
    const args = [manufacturerId, input, kind === "x509" ? 0 : 1, r, s] as const
    transaction = await context.writer.write({ ...deed, functionName: "registerBatchFor", args })
  }
  const batch = await find(context, await context.ledger.at("latest"), manufacturerId, parameters)
  if (batch === undefined) throw new TransactionFailedError({ hash: transaction.hash, functionName: "registerBatch" })
  return { batch: same(batch, parameters, key), transaction }
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

/** The batch that was asked for, if it is there: by its series, or without one by its root. */
async function find(
  context: WriteContext,
  view: LedgerView,
  manufacturerId: number,
  { series, root }: RegisterBatchParameters,
): Promise<Batch | undefined> {
  if (series !== undefined) return view.batch(manufacturerId, series)
  const found = (await usedSeries(context, view, manufacturerId)).find((batch) => batch.root === root)
  return found === undefined ? undefined : view.batch(manufacturerId, found.series)
}

function same(batch: Batch, { root, size, notAfter, kind }: RegisterBatchParameters, key: LedgerKey): Batch {
  const asked = { root, size, notAfter, keyIndex: key.index, rawPublicKeys: kind === "rawPublicKey" }
  const isSame = Object.entries(asked).every(([field, value]) => batch[field as keyof Batch] === value)
  if (isSame) return batch
  throw new SeriesUsedError({ series: batch.series, root: batch.root, size: batch.size })
}
