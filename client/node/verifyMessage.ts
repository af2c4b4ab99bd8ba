import type { SignatureAlgorithm, VerifyParameters } from "../crypto/types.ts"

/** Many questions for a thread, with one copy of each key and all other bytes in one piece. */
export type VerifyMessage = {
  readonly id: number
  readonly algorithms: readonly SignatureAlgorithm[]
  readonly keys: readonly Uint8Array[]
  /** Four numbers a question: its algorithm's place and its key's, octets of its message and of its signature. */
  readonly table: Uint32Array<ArrayBuffer>
  /** Message and signature of each question, one behind the other. */
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** The answers to a {@link VerifyMessage}, one octet each. */
export type VerifyReply = { readonly id: number; readonly answers: Uint8Array<ArrayBuffer> }

/** What an octet of a reply means. What could not be answered is asked again where the error can be seen. */
export const ANSWER = { no: 0, yes: 1, error: 2 } as const

const COLUMNS = 4

export function packQuestions(id: number, questions: readonly VerifyParameters[]): VerifyMessage {
  const algorithms: SignatureAlgorithm[] = []
  const keys: Uint8Array[] = []
  const table = new Uint32Array(questions.length * COLUMNS)
  let length = 0
  for (const { message, signature } of questions) length += message.length + signature.length
  const bytes = new Uint8Array(length)
  let offset = 0
  for (const [i, { algorithm, spki, message, signature }] of questions.entries()) {
    table[i * COLUMNS] = placeOf(algorithms, algorithm)
    // One key object in memory stands behind nearly all questions of a batch.
    table[i * COLUMNS + 1] = placeOf(keys, spki)
    table[i * COLUMNS + 2] = message.length
    table[i * COLUMNS + 3] = signature.length
    bytes.set(message, offset)
    bytes.set(signature, offset + message.length)
    offset += message.length + signature.length
  }
  // Of a view the whole memory behind it would be copied.
  return { id, algorithms, keys: keys.map((key) => key.slice()), table, bytes }
}

export function* unpackQuestions({ algorithms, keys, table, bytes }: VerifyMessage): Generator<VerifyParameters> {
  let offset = 0
  for (let i = 0; i < table.length; i += COLUMNS) {
    const [algorithm, key, messageOctets, signatureOctets] = table.subarray(i, i + COLUMNS) as unknown as Row
    const middle = offset + messageOctets
    yield {
      algorithm: algorithms[algorithm] as SignatureAlgorithm,
      spki: keys[key] as Uint8Array,
      message: bytes.subarray(offset, middle),
      signature: bytes.subarray(middle, middle + signatureOctets),
    }
    offset = middle + signatureOctets
  }
}

type Row = readonly [number, number, number, number]

function placeOf<Item>(list: Item[], item: Item): number {
  const place = list.indexOf(item)
  return place < 0 ? list.push(item) - 1 : place
}
