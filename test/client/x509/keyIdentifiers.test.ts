import { createHash } from "node:crypto"
import { describe, expect, it } from "vitest"
import { fromHex } from "../../../client/crypto/hex.ts"
import { generateP256Key } from "../../../client/crypto/signer.ts"
import { DerError } from "../../../client/errors/x509.ts"
import { keyIdentifiersOf } from "../../../client/x509/keyIdentifiers.ts"

describe("keyIdentifiersOf", () => {
  it("gives the two methods of RFC 5280 and the four of RFC 7093", async () => {
    const { spki } = await generateP256Key()
    const digest = (algorithm: string, bytes: Uint8Array) => createHash(algorithm).update(bytes).digest("hex")
    const key = spki.subarray(26)
    const short = digest("sha1", key)

    expect(keyIdentifiersOf(spki)).toEqual([
      `0x${short}`,
      `0x4${short.slice(-15)}`,
      `0x${digest("sha256", key).slice(0, 40)}`,
      `0x${digest("sha384", key).slice(0, 40)}`,
      `0x${digest("sha512", key).slice(0, 40)}`,
      `0x${digest("sha256", spki)}`,
      `0x${digest("sha256", spki).slice(0, 40)}`,
    ])
  })

  it("refuses what is no SubjectPublicKeyInfo", () => {
    for (const hex of ["0x", "0x3000", "0x30020500", "0x30053000030101"]) {
      expect(() => keyIdentifiersOf(fromHex(hex))).toThrow(DerError)
    }
  })
})
