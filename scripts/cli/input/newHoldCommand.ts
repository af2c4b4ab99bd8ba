import type { Command } from "commander"
import type { ManufacturerClient, Subject, WriteOutcome } from "../../../client/index.ts"
import { UsageError } from "../cliError.ts"
import { assertKnown, readBatch } from "./known.ts"
import { collect, openReceipts, RECEIPT_OPTIONS } from "./receiptSources.ts"
import type { ReceiptOptions } from "./receiptSources.ts"
import { deviceKeySubjects, readMarkTargets } from "./subjects.ts"
import { withWriter } from "../openWriter.ts"
import type { OpenWriter } from "../openWriter.ts"
import { newCommand, withSigner } from "../options/common.ts"
import type { CommonOptions, SignerOptions } from "../options/common.ts"
import { uint32 } from "../options/parse.ts"
import { batchMarkedAnswer, markedAnswer } from "../output/marks.ts"
import { runCommand } from "../runCommand.ts"
import type { Answer } from "../runCommand.ts"

type Options = CommonOptions &
  SignerOptions &
  ReceiptOptions & { manufacturer: number; deviceKey?: boolean; batch?: number }

/** What tells `hold` and `unhold` apart. */
export type HoldKind = {
  name: "hold" | "unhold"
  summary: string
  done: string
  subjects(client: ManufacturerClient, subjects: readonly Subject[]): Promise<WriteOutcome>
  batch(client: ManufacturerClient, series: number): Promise<WriteOutcome>
}

/** `fleetroot hold` and `fleetroot unhold`, which take the same words. */
export function newHoldCommand(kind: HoldKind): Command {
  const command = newCommand(kind.name, kind.summary, `fleetroot ${kind.name} certs/2.pem --manufacturer 2`)
    .argument("[cert...]", "certificate files, or credential hashes in hex")
    .requiredOption("--manufacturer <id>", "whose devices they are", uint32("--manufacturer"))
    .option("--device-key", "the certificates' device keys instead, and with them every certificate for those keys")
    .option("--batch <series>", "the whole of a batch", uint32("--batch"))
    .option(...RECEIPT_OPTIONS.receipt)
    .option(...RECEIPT_OPTIONS.receipts)
    .option(...RECEIPT_OPTIONS.manifest, collect)
  return withSigner(command).action((given: string[], options: Options) =>
    runCommand(options.json, () => {
      if (given.length > 0 === (options.batch !== undefined)) {
        throw new UsageError("Name either certificates or a --batch.")
      }
      return withWriter(options, kind.name, async (open) => {
        await assertKnown(open, options.manufacturer)
        if (options.batch === undefined) return mark(open, kind, given, options)
        await readBatch(open, options.manufacturer, options.batch)
        const outcome = await kind.batch(open.manufacturer(options.manufacturer), options.batch)
        return batchMarkedAnswer(options.manufacturer, { series: options.batch }, kind.done, outcome)
      })
    }),
  )
}

async function mark(open: OpenWriter, kind: HoldKind, given: readonly string[], options: Options): Promise<Answer> {
  const { manufacturer, deviceKey = false } = options
  const receipts = await openReceipts(open, options)
  try {
    const targets = await readMarkTargets(open, manufacturer, given, receipts)
    const unknown = targets.find(({ certificate }) => certificate === undefined)
    if (deviceKey && unknown !== undefined) {
      throw new UsageError(`--device-key needs certificates; ${unknown.given} does not tell its key.`)
    }
    const keys = deviceKey ? deviceKeySubjects(targets) : []
    const subjects = deviceKey ? keys : targets.map(({ subject }) => subject)
    const outcome = await kind.subjects(open.manufacturer(manufacturer), subjects)
    return markedAnswer({
      manufacturerId: manufacturer,
      done: kind.done,
      targets: deviceKey ? [] : targets,
      keys,
      outcome,
    })
  } finally {
    await receipts.close()
  }
}
