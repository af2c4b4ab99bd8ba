import { describe, expect, it } from "vitest"
import { buildCsr, derElement, derSequence, FleetrootError, parseCsr } from "../../../client/index.ts"
import { nameHashes, readSubject } from "../../../gateway/est/names.ts"
import { readBase64Body } from "../../../gateway/est/codec.ts"
import { basicPassword } from "../../../gateway/est/tokens.ts"
import { generateSigner } from "../../helpers/signers.ts"
import { mutate, SeededRandom } from "../../helpers/mutate.ts"

const ROUNDS = 1_000_000

describe("a million mutated certificate requests", () => {
  it("are read, or refused by name, in bounded time", { timeout: 900_000 }, async () => {
    const names = derSequence(derElement(0x82, new TextEncoder().encode("device.example")))
    const extensions = [{ oid: "2.5.29.17", critical: false, value: names }]
    const seeds = [
      await buildCsr({ subject: { commonName: "device" }, signer: await generateSigner("p256") }),
      await buildCsr({
        subject: { commonName: "d", organization: "Acme" },
        signer: await generateSigner("ed25519"),
        extensions,
      }),
    ]
    const random = new SeededRandom(7030)
    let read = 0
    const strange: unknown[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const bytes = mutate(random, seeds)
      try {
        const { subjectDer, requestedExtensions } = parseCsr(bytes)
        read += 1
        nameHashes("0x00", readSubject(subjectDer), requestedExtensions[0]?.value)
      } catch (error) {
        if (!(error instanceof FleetrootError)) strange.push(error)
      }
    }
    expect(strange).toEqual([])
    expect(read).toBeGreaterThan(ROUNDS / 100)
  })
})

describe("mutated bodies and headers", () => {
  it("are read, or refused by name", () => {
    const random = new SeededRandom(8951)
    const seeds = ["TUlJQg==", "AAAA\r\nBBBB\r\n", "====", "TUlJ"].map((text) => new TextEncoder().encode(text))
    for (let round = 0; round < 100_000; round++) {
      const bytes = mutate(random, seeds)
      try {
        readBase64Body(bytes, "application/pkcs10", "application/pkcs10")
      } catch (error) {
        if (!(error instanceof FleetrootError)) throw error
      }
      basicPassword(`Basic ${Buffer.from(bytes).toString("latin1")}`)
    }
  })
})
