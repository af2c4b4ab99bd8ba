import { AsnConvert, OctetString } from "@peculiar/asn1-schema"
import { Extension, Extensions } from "@peculiar/asn1-x509"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { DerReader } from "../../../client/crypto/derReader.ts"
import { assertStrictDer, DER } from "../../../client/crypto/strictDer.ts"
import { CertificateFieldError } from "../../../client/errors/x509.ts"
import { encodeExtensions } from "../../../client/x509/encodeExtensions.ts"
import { readExtensions } from "../../../client/x509/extensions.ts"

const arc = fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 2 ** 31 - 1 }))
const oid = fc
  .tuple(fc.constantFrom(0, 1, 2), fc.nat({ max: 39 }), fc.array(arc, { minLength: 1, maxLength: 8 }))
  .map(([first, second, others]) => [first, second, ...others].join("."))
const extensions = fc.uniqueArray(
  fc.record({ oid, critical: fc.boolean(), value: fc.uint8Array({ maxLength: 300 }) }),
  { minLength: 1, maxLength: 6, selector: (one) => one.oid },
)

describe("encodeExtensions", () => {
  it("writes what another library writes, and what is read back alike", () => {
    fc.assert(
      fc.property(extensions, (list) => {
        const written = encodeExtensions(list)
        const theirs = list.map(
          (one) =>
            new Extension({ extnID: one.oid, critical: one.critical, extnValue: new OctetString(one.value.slice()) }),
        )
        expect(written).toEqual(new Uint8Array(AsnConvert.serialize(new Extensions(theirs))))
        assertStrictDer(written)
        expect(readExtensions(new DerReader(written).enter(DER.sequence, "Extensions"))).toEqual(list)
      }),
      { numRuns: 300 },
    )
  })

  it.each(["", "1", "3.1", "1.40", "0.40.1", "1.02.3", "1.2.-3", "1.2.", "a.b", "1.2 .3"])(
    "refuses %j for an OID",
    (bad) => {
      const value = new Uint8Array(0)
      expect(() => encodeExtensions([{ oid: bad, critical: false, value }])).toThrow(CertificateFieldError)
    },
  )

  it("refuses one that stands twice", () => {
    const one = { oid: "2.5.29.15", critical: false, value: new Uint8Array(0) }
    expect(() => encodeExtensions([one, one])).toThrow("each OID once")
  })
})
