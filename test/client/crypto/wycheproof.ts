import { readFileSync } from "node:fs"

/** One Wycheproof test with its key, as bytes. */
export type Vector = {
  name: string
  spki: Uint8Array
  message: Uint8Array
  signature: Uint8Array
  result: "valid" | "invalid" | "acceptable"
  flags: string[]
}

type File = {
  numberOfTests: number
  testGroups: {
    publicKeyDer: string
    tests: { tcId: number; comment: string; msg: string; sig: string; result: Vector["result"]; flags: string[] }[]
  }[]
}

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"))

/** All tests of one file; throws when the file does not hold as many as it says. */
export function readWycheproof(file: string): Vector[] {
  const url = new URL(`../../vectors/wycheproof/${file}.json`, import.meta.url)
  const { testGroups, numberOfTests } = JSON.parse(readFileSync(url, "utf8")) as File
  const vectors = testGroups.flatMap(({ publicKeyDer, tests }) =>
    tests.map(({ tcId, comment, msg, sig, result, flags }) => ({
      name: `${tcId} ${comment}`,
      spki: bytes(publicKeyDer),
      message: bytes(msg),
      signature: bytes(sig),
      result,
      flags,
    })),
  )
  if (vectors.length !== numberOfTests) throw new Error(`${file}: ${vectors.length} of ${numberOfTests} tests`)
  return vectors
}
