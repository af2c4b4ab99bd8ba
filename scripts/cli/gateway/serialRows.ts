import { createReadStream } from "node:fs"
import { basename } from "node:path"
import { createInterface } from "node:readline"
import type { FleetrootError, Hex } from "../../../client/index.ts"
import type { OpenLedger } from "../openLedger.ts"
import { printable } from "../output/printable.ts"
import { ImportRowError } from "./importErrors.ts"

/** A certificate that is known by its serial number and its hashes. */
export type ListedSerial = {
  source: string
  /** Content octets of the INTEGER. */
  serial: Hex
  credentialHash: Hex
  deviceKeyId: Hex
  notBefore: number
  notAfter: number
}

/** What stands in a row: a certificate, a line of a list, or what is wrong with it. */
export type SerialRow =
  { source: string; der: Uint8Array } | ListedSerial | { source: string; error: FleetrootError | ImportRowError }

const FIELDS = ["serial", "credentialHash", "deviceKeyId", "notBefore", "notAfter"] as const
type Texts = Partial<Record<(typeof FIELDS)[number], unknown>>

const LAST_TIME = 253_402_300_799

/** The rows of a folder of certificates, a bundle, or a list: a `.csv` with these columns, a `.ndjson` with these members. */
export async function* serialRows(node: OpenLedger["node"], path: string): AsyncGenerator<SerialRow> {
  const list = /\.(csv|ndjson|jsonl)$/i.exec(path)?.[1]?.toLowerCase()
  if (list !== undefined) {
    yield* fromList(path, list === "csv")
    return
  }
  for await (const row of node.certificatesFromPath(path)) {
    if ("der" in row) yield { source: row.source, der: row.der }
    else if ("error" in row) yield row
  }
}

async function* fromList(path: string, isCsv: boolean): AsyncGenerator<SerialRow> {
  const name = printable(basename(path))
  const lines = createInterface({ input: createReadStream(path, "utf8"), crlfDelay: Infinity })
  let number = 0
  let header: readonly string[] | undefined
  for await (const line of lines) {
    number++
    const source = `${name}:${number}`
    if (line === "" && !isCsv) continue
    try {
      if (!isCsv) {
        yield readRow(source, readObject(line))
      } else if (header === undefined) {
        header = readHeader(line)
      } else {
        const values = line.split(",")
        if (values.length !== header.length) {
          throw new ImportRowError(`The line has ${values.length} fields; the header has ${header.length}.`)
        }
        yield readRow(source, Object.fromEntries(header.map((field, i) => [field, values[i]])))
      }
    } catch (error) {
      if (!(error instanceof ImportRowError)) throw error
      yield { source, error }
      // Without a header no line means anything.
      if (isCsv && header === undefined) return
    }
  }
}

function readHeader(line: string): readonly string[] {
  const fields = line.split(",")
  const known = [...FIELDS].sort().join()
  if (fields.toSorted().join() === known) return fields
  throw new ImportRowError(`The header should name ${FIELDS.join(",")}.`)
}

function readObject(line: string): Texts {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw new ImportRowError("The line is no JSON.")
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value
  throw new ImportRowError("The line is no JSON object.")
}

function readRow(source: string, texts: Texts): ListedSerial {
  for (const field of Object.keys(texts)) {
    if (!(FIELDS as readonly string[]).includes(field)) throw new ImportRowError(`${field} is an unknown field.`)
  }
  return {
    source,
    serial: readSerial(texts.serial),
    credentialHash: readHash("credentialHash", texts.credentialHash),
    deviceKeyId: readHash("deviceKeyId", texts.deviceKeyId),
    notBefore: readTime("notBefore", texts.notBefore),
    notAfter: readTime("notAfter", texts.notAfter),
  }
}

/** As OpenSSL prints it: hexadecimal digits, with or without 0x or colons; the INTEGER of this number. X.690, 8.3. */
function readSerial(text: unknown): Hex {
  const digits =
    typeof text === "string" ? /^(?:0x)?([0-9a-fA-F:]{1,80})$/.exec(text)?.[1]?.replaceAll(":", "") : undefined
  const number = digits?.toLowerCase().replace(/^0+/, "") ?? ""
  const even = number.length % 2 === 0 ? number : `0${number}`
  const octets = /^[89a-f]/.test(even) ? `00${even}` : even
  if (octets === "" || octets.length > 40) {
    throw new ImportRowError("serial should be a positive number of up to 20 octets, in hexadecimal digits.")
  }
  return `0x${octets}`
}

function readHash(field: string, text: unknown): Hex {
  const digits = typeof text === "string" ? /^(?:0x)?([0-9a-fA-F]{64})$/.exec(text)?.[1] : undefined
  if (digits !== undefined) return `0x${digits.toLowerCase()}`
  throw new ImportRowError(`${field} should be 64 hexadecimal digits.`)
}

function readTime(field: string, given: unknown): number {
  const text = String(given)
  const isDate = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text)
  const seconds = /^\d{1,12}$/.test(text) ? Number(text) : isDate ? Date.parse(text) / 1000 : Number.NaN
  if (seconds >= 0 && seconds <= LAST_TIME) return seconds
  throw new ImportRowError(`${field} should be Unix seconds, or like 2035-12-31T23:59:59Z.`)
}
