import type { Command } from "commander"
import { registerFleet } from "../batch/registerFleet.ts"
import type { RegisteredFleet } from "../batch/registerFleet.ts"
import { readCertificate } from "../input/certificateFile.ts"
import { assertKeyPair, readIssuerKey } from "../input/issuerKey.ts"
import { collect } from "../input/receiptSources.ts"
import { withWriter } from "../openWriter.ts"
import type { OpenWriter } from "../openWriter.ts"
import { newCommand, withSigner } from "../options/common.ts"
import type { CommonOptions, SignerOptions } from "../options/common.ts"
import { oneOf, time, uint32 } from "../options/parse.ts"
import { printable } from "../output/printable.ts"
import { runCommand } from "../runCommand.ts"
import type { Answer } from "../runCommand.ts"
import { transactionJson, transactionText } from "../output/transactions.ts"

type Options = CommonOptions &
  SignerOptions & {
    manufacturer: number
    issuer: string
    issuerKey?: string
    manifest?: string
    receipts?: string
    series?: number
    kind: "x509" | "rawPublicKey"
    earlier?: string[]
    notAfter?: Date
    skipBad?: boolean
    shuffle?: string
    dryRun?: boolean
  }

/** `fleetroot batch register`: any number of devices in one transaction. */
export function batchRegisterCommand(): Command {
  const command = newCommand(
    "register",
    "register a fleet of any size in one transaction; run it again after a crash, it pays for nothing twice",
    "fleetroot batch register --manufacturer 2 --issuer ca.pem certs/ --manifest fleet.manifest --receipts receipts/",
  )
    .argument("<fleet>", "folder of certificates, PEM bundle, or CSV/NDJSON of credential hashes")
    .requiredOption("--manufacturer <id>", "whose devices they are", uint32("--manufacturer"))
    .requiredOption("--issuer <cert>", "certificate of the CA that signed them")
    .option("--issuer-key <file>", "that CA's private key: for position serials and raw public keys")
    .option("--manifest <file>", "where to write the manifest")
    .option("--receipts <dir>", "where to write one receipt for each device")
    .option("--series <n>", "number of the batch; default: the next free one", uint32("--series"))
    .option(
      "--kind <kind>",
      "what the files hold: x509 or rawPublicKey",
      oneOf("--kind", ["x509", "rawPublicKey"]),
      "x509",
    )
    .option(
      "--earlier <manifest>",
      "manifest of an earlier batch, whose devices may not come again; may be repeated",
      collect,
    )
    .option("--not-after <time>", "when credentials end of which only a hash is given", time("--not-after"))
    .option("--skip-bad", "leave bad rows out instead of refusing all")
    .option(
      "--shuffle <file>",
      "order the batch by the secret in this file (mode 0600, 16 octets or more; keep it to run again)",
    )
    .option("--dry-run", "check and build, write nothing, register nothing")
  return withSigner(command).action((fleet: string, options: Options) =>
    runCommand(options.json, () => register(fleet, options)),
  )
}

async function register(fleet: string, options: Options): Promise<Answer> {
  return withWriter(options, "batch register", async (open) => {
    const issuer = await readCertificate(open, options.issuer)
    const issuerKey = options.issuerKey === undefined ? undefined : await readIssuerKey(open, options.issuerKey)
    if (issuerKey !== undefined && options.issuerKey !== undefined) {
      assertKeyPair(open, issuerKey, issuer.spki, { publicFile: options.issuer, keyFile: options.issuerKey })
    }
    const registered = await registerFleet(open, {
      manufacturerId: options.manufacturer,
      issuer,
      rows: open.node.certificatesFromPath(fleet, { kind: options.kind }),
      kind: options.kind,
      series: options.series,
      issuerKey,
      skipBad: options.skipBad,
      shuffleSecret: options.shuffle === undefined ? undefined : await readShuffleSecret(open, options.shuffle),
      notAfter: options.notAfter === undefined ? undefined : options.notAfter.getTime() / 1000,
      earlier: options.earlier,
      manifest: options.manifest,
      receipts: options.receipts,
      dryRun: options.dryRun,
    })
    return { json: toJson(registered, options), text: () => toText(registered, options) }
  })
}

/** The octets of the file without the white space around them. */
async function readShuffleSecret({ node }: OpenWriter, path: string): Promise<Uint8Array> {
  return new TextEncoder().encode((await node.readSecretFile(path)).trim())
}

function toJson({ batch, series, transaction, registered, receipts }: RegisteredFleet, options: Options): object {
  const { root, size, notAfter, rows, badRows, badRowsByCode, findings, asserted } = batch
  return {
    manufacturer: options.manufacturer,
    series,
    root,
    size,
    notAfter: new Date(notAfter * 1000).toISOString(),
    registered,
    alreadyRegistered: registered && transaction === null,
    transaction: transactionJson(transaction),
    manifest: registered ? (options.manifest ?? null) : null,
    receipts,
    rows,
    /** Of these only a hash was seen. */
    asserted,
    badRows,
    badRowsByCode,
    findings,
  }
}

function toText({ batch, series, transaction, registered, receipts }: RegisteredFleet, options: Options): string {
  const what = `batch ${series} of manufacturer ${options.manufacturer}: ${batch.size} credentials, root ${batch.root}`
  const lines = registered
    ? [`${transaction === null ? "already registered" : "registered"} ${what}`]
    : [`would register ${what}`]
  if (transaction !== null) lines.push(transactionText(transaction))
  if (registered && options.manifest !== undefined) lines.push(`manifest: ${printable(options.manifest)}`)
  if (receipts > 0) lines.push(`receipts: ${receipts} in ${printable(options.receipts ?? "")}`)
  if (batch.badRows > 0) lines.push(`left out: ${batch.badRows} bad rows of ${batch.rows}`)
  for (const { source, message } of batch.findings.slice(0, 20))
    lines.push(`  ${printable(source)}: ${printable(message)}`)
  if (batch.asserted > 0) lines.push(`of ${batch.asserted} credentials only a hash was seen; nothing else was checked`)
  return lines.join("\n")
}
