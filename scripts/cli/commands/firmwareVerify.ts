import type { Command } from "commander"
import type { FirmwareVerdict } from "../../../client/index.ts"
import { EXIT, UsageError } from "../cliError.ts"
import { FIRMWARE_OPTIONS, securityVersion } from "../firmware/options.ts"
import { readManifest, readSignature, withImages } from "../firmware/files.ts"
import { openLedger } from "../openLedger.ts"
import type { OpenLedger } from "../openLedger.ts"
import { newCommand } from "../options/common.ts"
import type { CommonOptions } from "../options/common.ts"
import { time, uint32 } from "../options/parse.ts"
import { printable } from "../output/printable.ts"
import { startProgress } from "../output/progress.ts"
import { runCommand } from "../runCommand.ts"
import type { Answer } from "../runCommand.ts"

type Options = CommonOptions & {
  manufacturer: number
  product: string
  installed?: number
  signature?: string
  manifest?: string
  unpublished?: boolean
  at?: Date
  maxAge: number
}

/** A question: an image with the other components of its manifest. */
type Question = { image: string; parts: readonly string[] }

/** `fleetroot firmware verify`: may this be installed? */
export function firmwareVerifyCommand(): Command {
  return newCommand(
    "verify",
    "say whether firmware may be installed, and why not",
    "fleetroot firmware verify app-v1.4.0.bin --manufacturer 2 --product acme-9271 --installed 6",
  )
    .argument("<file...>", "images; with --manifest: the components of one release")
    .requiredOption(...FIRMWARE_OPTIONS.manufacturer, uint32("--manufacturer"))
    .requiredOption(...FIRMWARE_OPTIONS.product)
    .option(
      "--installed <n>",
      "security version of what runs now; nothing older passes",
      securityVersion("--installed", 0),
    )
    .option("--signature <file>", "detached signature over the image (`openssl dgst -sign`, `openssl pkeyutl -sign`)")
    .option(...FIRMWARE_OPTIONS.manifest)
    .option("--unpublished", "accept a good signature by a good key without a release on the ledger")
    .option("--at <time>", "judge this time instead of now (2027-01-31T12:00:00Z or Unix seconds)", time("--at"))
    .option("--max-age <seconds>", "oldest newest block that the answer may rest on", uint32("--max-age"), 120)
    .action((files: string[], options: Options) => runCommand(options.json, () => verify(files, options)))
}

async function verify(files: readonly string[], options: Options): Promise<Answer> {
  const questions = questionsOf(files, options)
  const open = await openLedger(options)
  const { client, node, ledger, deployment } = open
  const memory = node.fileFirmwareMemory(node.stateFolder(process.env), deployment)
  const verifier = new client.FirmwareVerifier({ ledger, memory, maxAgeSeconds: options.maxAge })
  const check = await checkOptions(open, options)
  const checked: { file: string; verdict: FirmwareVerdict }[] = []
  for (const { image: file, parts: others } of questions) {
    const progress = startProgress(`reading ${printable(file)}`)
    const verdict = await withImages(open, file, others, (image, parts) =>
      verifier.check({ ...check, image, parts, onProgress: (bytes) => progress.update(bytes, image.size) }),
    ).finally(() => progress.stop())
    checked.push({ file, verdict })
  }
  const items = checked.map(({ file, verdict }) => toJson(file, verdict))
  return {
    json: items.length === 1 ? items[0] : items,
    text: () => checked.map(({ file, verdict }) => toText(file, verdict)).join("\n\n"),
    exitCode: checked.every(({ verdict }) => verdict.installable) ? EXIT.good : EXIT.notGood,
  }
}

function questionsOf(files: readonly string[], { signature, manifest }: Options): readonly Question[] {
  const [image = "", ...parts] = files
  if (manifest !== undefined) {
    if (signature !== undefined)
      throw new UsageError("A SUIT manifest carries its own signature; --signature does not go with it.")
    return [{ image, parts }]
  }
  if (signature !== undefined && parts.length > 0) throw new UsageError("--signature goes with one file.")
  return files.map((file) => ({ image: file, parts: [] }))
}

async function checkOptions(open: OpenLedger, options: Options) {
  const { manufacturer, product, installed, unpublished, at } = options
  return {
    manufacturerId: manufacturer,
    product,
    ...(await readSignature(open, options.signature)),
    ...(await readManifest(open, options.manifest)),
    ...(installed === undefined ? {} : { installedSecurityVersion: installed }),
    ...(unpublished === undefined ? {} : { unpublished }),
    ...(at === undefined ? {} : { at }),
  }
}

function toJson(file: string, verdict: FirmwareVerdict): Record<string, unknown> {
  const { block, release, ...rest } = verdict
  return {
    file,
    ...rest,
    release:
      release === null
        ? null
        : {
            ...release,
            releasedAt: release.releasedAt.toISOString(),
            recalledAt: release.recalledAt?.toISOString() ?? null,
          },
    block: { ...block, timestamp: block.timestamp.toISOString() },
  }
}

function toText(file: string, { installable, unpublished, format, checks }: FirmwareVerdict): string {
  const kind = format === null ? "" : ` (${format})`
  const answer = installable ? "may be installed" : "must not be installed"
  const note = unpublished ? ", although it is not released" : ""
  return [
    `${printable(file)}${kind}: ${answer}${note}`,
    ...checks.map(({ name, ok, detail }) => `  ${ok ? "✓" : "✗"} ${name}: ${printable(detail)}`),
  ].join("\n")
}
