import { lstat, readdir, realpath, stat } from "node:fs/promises"
import { basename, join, sep } from "node:path"
import { FleetFileError, InputPathError } from "../errors/batch.ts"
import type { BatchRow } from "../batch/batchRow.ts"
import { naturalOrder } from "../batch/naturalOrder.ts"
import { rowsFromCsv } from "../batch/rowsFromCsv.ts"
import { rowsFromNdjson } from "../batch/rowsFromNdjson.ts"
import { rowsFromPem } from "../batch/rowsFromPem.ts"
import { badRow } from "../batch/toRow.ts"
import type { CredentialKind } from "../merkle/manifest.ts"
import { readOneCertificate, readOneCsr } from "../x509/pem.ts"
import { mapAhead } from "./mapAhead.ts"
import { openRegularFile, readRegularFile, reasonOf } from "./readRegularFile.ts"

export type CertificatesFromPathOptions = {
  /** What the files hold. Raw public keys are COSE messages, one a file. Default: x509. */
  kind?: CredentialKind
}

/** Larger than any certificate with `openssl x509 -text` in front of it. */
const MAX_FILE_BYTES = 262_144
// A link is looked into first; that it was none a moment ago is not enough.
const IN_FOLDER = { maximumBytes: MAX_FILE_BYTES, followLinks: false }
const CERTIFICATE_ENDING = /\.(?:pem|crt|cer|der)$/
const REQUEST_ENDING = ".csr"
const DER_SEQUENCE = 0x30
const FILES_AT_ONCE = 32
const CHUNK_BYTES = 262_144

/**
 * The rows of a fleet, for `buildBatch`, from
 * - a folder of PEM or DER files, one certificate each, in the natural order of their names (dev2 before dev10). Hidden
 *   files (`.name`) and private keys (`*.key`) are not looked at; a request (`dev1.csr` beside `dev1.pem`) goes with its
 *   certificate, as proof that the device holds the key; anything else that is no certificate is a bad row, sub-folders
 *   and links that lead out of the folder too;
 * - a `.csv`, or a `.ndjson` or `.jsonl`, of credential hashes, by lines;
 * - any other file: one DER certificate, or a PEM bundle of any length.
 *
 * Files are streamed; of a folder only the names are in memory.
 *
 * @throws {@link InputPathError} when `path` itself cannot be read; what is wrong inside of it is told by bad rows.
 */
export async function* certificatesFromPath(
  path: string,
  { kind = "x509" }: CertificatesFromPathOptions = {},
): AsyncGenerator<BatchRow> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new InputPathError({ path, reason: reasonOf(cause), cause })
  })
  if (found.isDirectory()) yield* fromFolder(path, kind)
  else yield* await fromFile(path, kind)
}

async function* fromFolder(folder: string, kind: CredentialKind): AsyncGenerator<BatchRow> {
  const [names, home] = await Promise.all([readdir(folder), realpath(folder)]).catch((cause: unknown) => {
    throw new InputPathError({ path: folder, reason: reasonOf(cause), cause })
  })
  const wanted = names.filter((name) => !name.startsWith(".") && !name.endsWith(".key")).sort(naturalOrder)
  const requests = kind === "x509" ? requestsBeside(wanted) : new Map<string, string>()
  const used = new Set(requests.values())
  const ownRows = wanted.filter((name) => !used.has(name))
  yield* mapAhead(ownRows, FILES_AT_ONCE, async (name): Promise<BatchRow> => {
    const source = printable(name)
    try {
      const der = readCredential(await readInside(home, name, source), source, kind)
      const request = requests.get(name)
      if (request === undefined) return { source, der }
      return { source, der, csr: readOneCsr(await readInside(home, request, printable(request))) }
    } catch (error) {
      return badRow(source, error)
    }
  })
}

/** By the name of a certificate file, that of the request beside it: dev1.csr for dev1.pem. */
function requestsBeside(names: readonly string[]): Map<string, string> {
  const requests = new Set(names.filter((name) => name.endsWith(REQUEST_ENDING)))
  const found = new Map<string, string>()
  for (const name of names) {
    const request = name.replace(CERTIFICATE_ENDING, REQUEST_ENDING)
    if (request !== name && requests.has(request)) found.set(name, request)
  }
  return found
}

/** @throws {@link FleetFileError} {@link InputPathError} */
async function readInside(home: string, name: string, source: string): Promise<Uint8Array> {
  const path = join(home, name)
  const entry = await lstat(path).catch((cause: unknown) => {
    throw new InputPathError({ path: source, reason: reasonOf(cause), cause })
  })
  if (!entry.isSymbolicLink()) return readRegularFile(path, { name: source, ...IN_FOLDER })

  const target = await realpath(path).catch((cause: unknown) => {
    throw new FleetFileError({ path: source, reason: "is a link that leads nowhere", cause })
  })
  if (!target.startsWith(home.endsWith(sep) ? home : home + sep)) {
    throw new FleetFileError({ path: source, reason: "is a link that leads out of the folder" })
  }
  return readRegularFile(target, { name: source, ...IN_FOLDER })
}

async function fromFile(path: string, kind: CredentialKind): Promise<AsyncIterable<BatchRow>> {
  const name = printable(basename(path))
  if (/\.csv$/i.test(path)) return rowsFromCsv(name, chunksOf(path))
  if (/\.(ndjson|jsonl)$/i.test(path)) return rowsFromNdjson(name, chunksOf(path))
  if (kind === "x509" && !(await startsAsDer(path))) return rowsFromPem(name, chunksOf(path))
  return fromSingle(path, name, kind)
}

async function* fromSingle(path: string, name: string, kind: CredentialKind): AsyncGenerator<BatchRow> {
  try {
    const bytes = await readRegularFile(path, { maximumBytes: MAX_FILE_BYTES })
    yield { source: name, der: readCredential(bytes, name, kind) }
  } catch (error) {
    yield badRow(name, error)
  }
}

/** @throws {@link FleetFileError} {@link X509Error} */
function readCredential(bytes: Uint8Array, source: string, kind: CredentialKind): Uint8Array {
  if (bytes.length === 0) throw new FleetFileError({ path: source, reason: "is empty" })
  return kind === "x509" ? readOneCertificate(bytes) : bytes
}

async function startsAsDer(path: string): Promise<boolean> {
  for await (const chunk of chunksOf(path)) return chunk[0] === DER_SEQUENCE
  return false
}

/** The bytes of a file in pieces; each is good until the next is asked for. */
async function* chunksOf(path: string): AsyncGenerator<Uint8Array> {
  const handle = await openRegularFile(path)
  try {
    const buffer = new Uint8Array(CHUNK_BYTES)
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, null)
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await handle.close()
  }
}

/** A file's name as a terminal may show it: control characters would move its cursor, or more. */
function printable(name: string): string {
  return name.replace(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`,
  )
}
