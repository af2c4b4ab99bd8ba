import type { Command } from "commander"
import type { ManyVerdict, Verdict } from "../../../client/index.ts"
import { EXIT, UsageError } from "../cliError.ts"
import { readCertificate, readCertificateBytes } from "../input/certificateFile.ts"
import { collect, openReceipts, RECEIPT_OPTIONS } from "../input/receiptSources.ts"
import type { OpenReceipts, ReceiptOptions } from "../input/receiptSources.ts"
import { refuseHash } from "../input/subjects.ts"
import type { OpenLedger } from "../openLedger.ts"
import { openReader, withReader } from "../openReader.ts"
import type { ReaderOptions } from "../openReader.ts"
import { openReplica, syncReplica } from "../openReplica.ts"
import { newCommand } from "../options/common.ts"
import { time, uint32 } from "../options/parse.ts"
import { printable } from "../output/printable.ts"
import { runCommand } from "../runCommand.ts"
import type { Answer } from "../runCommand.ts"

type Options = ReaderOptions &
  ReceiptOptions & { at?: Date; issuer?: string; maxAge?: number; replica?: string; offline?: boolean }

/** A file and what the verifier says of it. */
type Checked = { file: string; verdict: ManyVerdict }

/** `fleetroot status`: does each certificate count? */
export function statusCommand(): Command {
  return withReader(
    newCommand(
      "status",
      "say of each certificate whether it is good, on hold, revoked, expired or unknown",
      "fleetroot status certs/*.pem --receipts receipts/ --json",
    ),
  )
    .argument("<cert...>", "certificate files, PEM or DER; or raw public key objects")
    .option(...RECEIPT_OPTIONS.receipt)
    .option(...RECEIPT_OPTIONS.receipts)
    .option(...RECEIPT_OPTIONS.manifest, collect)
    .option("--at <time>", "judge this time instead of now (2027-01-31T12:00:00Z or Unix seconds)", time("--at"))
    .option("--issuer <cert>", "the issuer's certificate, for certificates that do not identify their issuer's key")
    .option("--max-age <seconds>", "oldest newest block that the answer may rest on", uint32("--max-age"), 120)
    .option("--replica <folder>", "answer from the replica there, brought up to date first")
    .option("--offline", "with --replica: ask no node; the answer is as old as the replica (--max-age)")
    .action((files: string[], options: Options) => runCommand(options.json, () => checkStatus(files, options)))
}

async function checkStatus(files: readonly string[], options: Options): Promise<Answer> {
  files.forEach(refuseHash)
  const { replica: dir, offline = false } = options
  if (offline && dir === undefined) throw new UsageError("--offline goes with --replica.")
  const open = await openReader(options)
  if (dir === undefined) return checkWith(open, files, options)
  const replica = await openReplica(open, options, { dir })
  try {
    if (!offline) await syncReplica(replica)
    return await checkWith({ ...open, ledger: replica }, files, options)
  } finally {
    await replica.close()
  }
}

async function checkWith(open: OpenLedger, files: readonly string[], options: Options): Promise<Answer> {
  const receipts = await openReceipts(open, options)
  try {
    const checked = await checkFiles(open, files, options, receipts)
    const items = checked.map((item) => toJson(item, receipts))
    return {
      json: items,
      text: () => checked.map(toLine).join("\n"),
      exitCode: items.every(({ status }) => status === "good") ? EXIT.good : EXIT.notGood,
    }
  } finally {
    await receipts.close()
  }
}

const CBOR_TAG_SIGN1 = 0xd2

async function checkFiles(
  open: OpenLedger,
  files: readonly string[],
  options: Options,
  receipts: OpenReceipts,
): Promise<Checked[]> {
  const { client, ledger } = open
  const inputs = await Promise.all(files.map((file) => readCertificateBytes(open, file)))
  const verifier = new client.Verifier({ ledger, maxAgeSeconds: options.maxAge ?? 120 })
  const issuer = options.issuer === undefined ? undefined : await readCertificate(open, options.issuer)
  const check = {
    receipts,
    ...(options.at === undefined ? {} : { at: options.at }),
    ...(issuer === undefined ? {} : { issuerKeyId: issuer.keyId }),
  }
  const isRawKey = inputs.map((bytes) => bytes[0] === CBOR_TAG_SIGN1)
  const certificates = await verifier.checkMany(
    inputs.filter((_, i) => isRawKey[i] !== true),
    check,
  )
  const verdicts: ManyVerdict[] = []
  for (const [i, bytes] of inputs.entries()) {
    const verdict = isRawKey[i] === true ? await checkRawKey(open, verifier, bytes, check) : certificates.shift()
    if (verdict !== undefined) verdicts.push(verdict)
  }
  return files.map((file, i) => ({ file, verdict: verdicts[i] as ManyVerdict }))
}

async function checkRawKey(
  { client }: OpenLedger,
  verifier: InstanceType<OpenLedger["client"]["Verifier"]>,
  bytes: Uint8Array,
  check: Parameters<typeof verifier.checkRawPublicKey>[1],
): Promise<ManyVerdict> {
  try {
    client.decodeRawPublicKey(bytes)
  } catch (error) {
    if (error instanceof client.FleetrootError) return { status: "unknown", reason: "malformed", error }
    throw error
  }
  return verifier.checkRawPublicKey(bytes, check)
}

const NOTHING = {
  fingerprint: null,
  credentialHash: null,
  since: null,
  manufacturer: null,
  batch: null,
  block: null,
  staleSeconds: null,
  evidence: [],
}

function toJson({ file, verdict }: Checked, { errors }: OpenReceipts): { status: string } & Record<string, unknown> {
  if ("error" in verdict) {
    const { status, reason, error } = verdict
    const { fingerprint, credentialHash, ...rest } = NOTHING
    return { file, fingerprint, credentialHash, status, reason, ...rest, error: error.toJSON() }
  }
  const { fingerprint, credentialHash, status, reason, manufacturer, batch, block, staleSeconds, evidence } = verdict
  const receiptError = errors.get(credentialHash)
  return {
    file,
    fingerprint,
    credentialHash,
    status,
    reason,
    since: verdict.since?.toISOString() ?? null,
    manufacturer: manufacturer === null ? null : { id: manufacturer.id, name: manufacturer.name },
    batch: batch === null ? null : { series: batch.series, root: batch.root, index: batch.index, size: batch.size },
    block: { ...block, timestamp: block.timestamp.toISOString() },
    staleSeconds,
    evidence,
    ...(receiptError === undefined ? {} : { error: receiptError.toJSON() }),
  }
}

function toLine({ file, verdict }: Checked): string {
  const name = printable(file)
  if ("error" in verdict) return `${name}: unknown (malformed): ${printable(verdict.error.message)}`
  return `${name}: ${describe(verdict)}`
}

function describe({ status, reason, since, detail, manufacturer, batch }: Verdict): string {
  const why = reason === null ? "" : ` (${reason})`
  const when = since === null ? "" : ` since ${since.toISOString()}`
  const whose = manufacturer === null ? "" : `; manufacturer ${manufacturer.id} "${printable(manufacturer.name)}"`
  const where = batch === null ? "" : `, batch ${batch.series} index ${batch.index} of ${batch.size}`
  return `${status}${why}${when}${whose}${where}. ${printable(detail)}`
}
