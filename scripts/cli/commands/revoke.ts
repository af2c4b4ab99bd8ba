import type { Command } from "commander"
import type { Subject } from "../../../client/index.ts"
import { UsageError } from "../cliError.ts"
import { assertKnown, readBatch } from "../input/known.ts"
import { REASON_CODES, reasonWord } from "../input/reasons.ts"
import type { ReasonWord } from "../input/reasons.ts"
import { collect, openReceipts, RECEIPT_OPTIONS } from "../input/receiptSources.ts"
import type { ReceiptOptions } from "../input/receiptSources.ts"
import { deviceKeySubjects, readMarkTargets } from "../input/subjects.ts"
import { withWriter } from "../openWriter.ts"
import type { OpenWriter } from "../openWriter.ts"
import { newCommand, withSigner } from "../options/common.ts"
import type { CommonOptions, SignerOptions } from "../options/common.ts"
import { hash32, parseIndices, time, uint32 } from "../options/parse.ts"
import { batchMarkedAnswer, markedAnswer } from "../output/marks.ts"
import { runCommand } from "../runCommand.ts"
import type { Answer } from "../runCommand.ts"

type Options = CommonOptions &
  SignerOptions &
  ReceiptOptions & {
    manufacturer: number
    reason: ReasonWord
    invalidityDate?: Date
    deviceKey?: boolean
    keyId?: `0x${string}`[]
    series?: number
    indices?: number[]
    batch?: number
  }

/** `fleetroot revoke`: for ever. */
export function revokeCommand(): Command {
  const command = newCommand(
    "revoke",
    "revoke certificates, device keys, places of a batch or a whole batch, for ever",
    "fleetroot revoke certs/1.pem --manufacturer 2 --reason keyCompromise",
  )
    .argument("[cert...]", "certificate files, or credential hashes in hex")
    .requiredOption("--manufacturer <id>", "whose devices they are", uint32("--manufacturer"))
    .option("--reason <reason>", `one of ${Object.keys(REASON_CODES).join(", ")}`, reasonWord, "unspecified")
    .option(
      "--invalidity-date <time>",
      "when the key is thought to have been lost; for information",
      time("--invalidity-date"),
    )
    .option(
      "--device-key",
      "revoke the certificates' device keys too, and with them every certificate for those keys; keyCompromise always does",
    )
    .option("--key-id <hex>", "revoke a device key by its key id; may be repeated", collectHash)
    .option("--series <n>", "batch whose places --indices names", uint32("--series"))
    .option("--indices <list>", "places of that batch: 1,5-9; 256 neighbours for the price of one", parseIndices)
    .option("--batch <series>", "revoke the whole of a batch", uint32("--batch"))
    .option(...RECEIPT_OPTIONS.receipt)
    .option(...RECEIPT_OPTIONS.receipts)
    .option(...RECEIPT_OPTIONS.manifest, collect)
  return withSigner(command).action((given: string[], options: Options) =>
    runCommand(options.json, () => {
      assertOneKind(given, options)
      return withWriter(options, "revoke", async (open) => {
        await assertKnown(open, options.manufacturer)
        if (options.batch !== undefined) return revokeBatch(open, options, options.batch)
        if (options.series !== undefined) return revokePlaces(open, options, options.series)
        return revokeSubjects(open, given, options)
      })
    }),
  )
}

function collectHash(text: string, earlier: `0x${string}`[] | undefined): `0x${string}`[] {
  return [...(earlier ?? []), hash32("--key-id")(text)]
}

/** Certificates and keys, or places, or a batch: a command that named two would be a slip, and nothing undoes it. */
function assertOneKind(given: readonly string[], { keyId, series, indices, batch, invalidityDate }: Options): void {
  const kinds = [given.length > 0 || keyId !== undefined, series !== undefined, batch !== undefined]
  if (kinds.filter(Boolean).length !== 1) {
    throw new UsageError(
      "Name what to revoke in one way: certificates and --key-id, --series with --indices, or --batch.",
    )
  }
  if ((series === undefined) !== (indices === undefined)) throw new UsageError("--series and --indices go together.")
  if (invalidityDate !== undefined && given.length === 0 && keyId === undefined) {
    throw new UsageError("--invalidity-date goes with certificates or --key-id.")
  }
}

async function revokeSubjects(open: OpenWriter, given: readonly string[], options: Options): Promise<Answer> {
  const { manufacturer, reason, invalidityDate, keyId = [] } = options
  const receipts = await openReceipts(open, options)
  try {
    const targets = await readMarkTargets(open, manufacturer, given, receipts)
    const withKeys = options.deviceKey === true || reason === "keyCompromise"
    const keys: Subject[] = [...keyId.map((subject) => ({ subject })), ...(withKeys ? deviceKeySubjects(targets) : [])]
    const outcome = await open.manufacturer(manufacturer).revoke([...targets.map(({ subject }) => subject), ...keys], {
      reason: REASON_CODES[reason],
      ...(invalidityDate === undefined ? {} : { invalidityDate }),
    })
    const notes = reason === "keyCompromise" ? compromiseNotes(targets.length, keys.length - keyId.length) : []
    return markedAnswer({ manufacturerId: manufacturer, done: `revoked (${reason})`, targets, keys, outcome, notes })
  } finally {
    await receipts.close()
  }
}

function compromiseNotes(targets: number, keys: number): string[] {
  if (keys > 0) {
    return ["the device keys were revoked too, because a compromised key makes every certificate for it worthless"]
  }
  return targets > 0
    ? ["the device keys were not revoked: only certificates tell them; give the files, or --key-id"]
    : []
}

async function revokePlaces(open: OpenWriter, options: Options, series: number): Promise<Answer> {
  const { manufacturer, reason, indices = [] } = options
  const { size } = await readBatch(open, manufacturer, series)
  const past = indices.find((index) => index >= size)
  if (past !== undefined) throw new open.client.IndexOutOfRangeError({ index: past, size })
  const outcome = await open.manufacturer(manufacturer).revokePlaces(series, indices, REASON_CODES[reason])
  return batchMarkedAnswer(manufacturer, { series, places: indices.length }, `revoked (${reason})`, outcome)
}

async function revokeBatch(open: OpenWriter, { manufacturer, reason }: Options, series: number): Promise<Answer> {
  await readBatch(open, manufacturer, series)
  const outcome = await open.manufacturer(manufacturer).revokeBatch(series, REASON_CODES[reason])
  return batchMarkedAnswer(manufacturer, { series }, `revoked (${reason})`, outcome)
}
