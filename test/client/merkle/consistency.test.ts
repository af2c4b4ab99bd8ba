import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { assertConsistency, verifyConsistency } from "../../../client/merkle/tree.ts"
import {
  ConsistencySizesError,
  HashLengthError,
  ProofLengthError,
  RootMismatchError,
} from "../../../client/errors/merkle.ts"
import { NaiveTree, credentialHashes } from "./naiveTree.ts"

type Vector = {
  file: string
  size1: number | string
  size2: number | string
  root1: string
  root2: string
  proof: string[]
  wantErr: boolean
}

const vectorsUrl = new URL("../../vectors/rfc6962/proofs.json", import.meta.url)
const vectors = (JSON.parse(readFileSync(vectorsUrl, "utf8")) as { consistency: Vector[] }).consistency
const bytes = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"))

const parametersOf = ({ size1, size2, root1, root2, proof }: Vector) => ({
  firstSize: Number(size1),
  secondSize: Number(size2),
  firstRoot: bytes(root1),
  secondRoot: bytes(root2),
  proof: proof.map(bytes),
})

/** Its "roots" have 12 bytes. Its authors compare them anyway; here a root has 32. */
const STRICTER = "consistency/additional/sizes-are-equal-one-and-proof-is-empty.json"

describe("verifyConsistency on the RFC 6962 vectors", () => {
  it.each(vectors.filter((vector) => vector.file !== STRICTER))("judges $file as its authors do", (vector) => {
    expect(verifyConsistency(parametersOf(vector))).toBe(!vector.wantErr)
  })

  it("refuses roots that are no hashes, which the vectors let pass", () => {
    const vector = vectors.find(({ file }) => file === STRICTER)!
    expect(vector.wantErr).toBe(false)
    expect(() => assertConsistency(parametersOf(vector))).toThrow(HashLengthError)
  })
})

describe("verifyConsistency", () => {
  const naive = new NaiveTree(credentialHashes(66))

  it("accepts exactly the proof of RFC 9162, for every pair of sizes up to 65", () => {
    const wrong: string[] = []
    for (let secondSize = 1; secondSize <= 65; secondSize++) {
      for (let firstSize = 1; firstSize <= secondSize; firstSize++) {
        const proof = naive.consistency(firstSize, secondSize)
        const good = {
          firstSize,
          firstRoot: naive.root(0, firstSize),
          secondSize,
          secondRoot: naive.root(0, secondSize),
          proof,
        }
        const bad = [
          { ...good, proof: [...proof, proof.at(-1) ?? good.firstRoot] },
          { ...good, firstRoot: naive.root(1, firstSize + 1) },
          { ...good, secondRoot: naive.root(1, secondSize + 1) },
          ...proof.map((_, i) => ({ ...good, proof: proof.toSpliced(i, 1) })),
          ...proof.map((_, i) => ({ ...good, proof: proof.with(i, naive.root(65, 66)) })),
        ]
        if (!verifyConsistency(good)) wrong.push(`refused ${firstSize} to ${secondSize}`)
        if (bad.some(verifyConsistency)) wrong.push(`took a bad one, ${firstSize} to ${secondSize}`)
      }
    }
    expect(wrong).toEqual([])
  })

  it("says what is wrong", () => {
    const good = {
      firstSize: 3,
      firstRoot: naive.root(0, 3),
      secondSize: 7,
      secondRoot: naive.root(0, 7),
      proof: naive.consistency(3, 7),
    }
    expect(() => assertConsistency(good)).not.toThrow()
    expect(() => assertConsistency({ ...good, firstSize: 8 })).toThrow(ConsistencySizesError)
    expect(() => assertConsistency({ ...good, proof: good.proof.slice(1) })).toThrow(ProofLengthError)
    expect(() => assertConsistency({ ...good, secondRoot: good.firstRoot })).toThrow(RootMismatchError)
  })
})
