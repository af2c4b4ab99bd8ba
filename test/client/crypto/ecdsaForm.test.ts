import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { assertEcdsaDer, ecdsaDerToRaw, ecdsaRawToDer } from "../../../client/crypto/ecdsa.ts"
import { SignatureMalformedError } from "../../../client/errors/crypto.ts"

function reasonOf(act: () => unknown): string {
  try {
    act()
    return "well-formed"
  } catch (error) {
    expect(error).toBeInstanceOf(SignatureMalformedError)
    return (error as Error).message
  }
}

describe.each([32, 48] as const)("assertEcdsaDer, %i octets", (length) => {
  it("refuses just what ecdsaDerToRaw refuses, for the same reason, whatever was looked at before", () => {
    const scalar = fc.uint8Array({ minLength: length, maxLength: length })
    const sizes = fc.tuple(fc.nat({ max: length }), fc.nat({ max: length }))
    const change = fc.tuple(fc.nat({ max: 110 }), fc.nat({ max: 255 }))
    let sound = 0
    fc.assert(
      fc.property(scalar, scalar, sizes, fc.array(change, { maxLength: 2 }), (r, s, [shortR, shortS], changes) => {
        // Leading zeros make short INTEGERs.
        r.fill(0, 0, shortR === length ? 0 : shortR % 4)
        s.fill(0, 0, shortS === length ? 0 : shortS % 4)
        r[0] = (r[0] as number) & 0x7f
        s[0] = (s[0] as number) & 0x7f
        r[length - 1] = 1
        s[length - 1] = 1
        const der = ecdsaRawToDer(Uint8Array.of(...r, ...s))
        for (const [at, octet] of changes) der[at % der.length] = octet
        const reason = reasonOf(() => ecdsaDerToRaw(der, length))
        if (reason === "well-formed") sound += 1
        expect(reasonOf(() => assertEcdsaDer(der, length))).toBe(reason)
      }),
      { numRuns: 2_000 },
    )
    expect(sound).toBeGreaterThan(100)
  })
})
