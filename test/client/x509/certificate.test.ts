import { readFileSync } from "node:fs"
import { X509Certificate } from "node:crypto"
import fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import { defaultCrypto } from "../../../client/crypto/defaultCrypto.ts"
import { derBitString, derElement, derOctetString, derSequence, derUnsigned } from "../../../client/crypto/derWriter.ts"
import { ecdsaDerToRaw, ecdsaRawToDer, P256_ORDER } from "../../../client/crypto/ecdsa.ts"
import { concatBytes, fromHex, toHex } from "../../../client/crypto/hex.ts"
import { generateP256Key } from "../../../client/crypto/signer.ts"
import type { KeySigner } from "../../../client/crypto/signer.ts"
import { FleetrootError } from "../../../client/errors/base.ts"
import { PublicKeyInvalidError } from "../../../client/errors/crypto.ts"
import {
  CertificateMalformedError,
  DerError,
  DerInputError,
  DerLimitError,
  DerTagError,
  DerTrailingBytesError,
  DerTruncatedError,
  DerValueError,
} from "../../../client/errors/x509.ts"
import { buildCertificate, buildCsr } from "../../../client/x509/build.ts"
import { parseCertificate } from "../../../client/x509/certificate.ts"
import type { Certificate } from "../../../client/x509/certificate.ts"
import { parseCsr, verifyCsr } from "../../../client/x509/csr.ts"
import { checkDeviceProfile } from "../../../client/x509/deviceProfile.ts"
import { verifyCertificateSignature } from "../../../client/x509/verifyCertificate.ts"
import { expectSameAsOpenssl, expectSameAsPeculiar } from "./crossCheck.ts"
import { extension, extensions, rawCertificate, utcTime } from "./rawCertificate.ts"
import type { RawParts } from "./rawCertificate.ts"

const crypto = defaultCrypto()
let signer: KeySigner
let der: Uint8Array
let certificate: Certificate

beforeAll(async () => {
  signer = await generateP256Key()
  der = await buildCertificate({
    subject: { commonName: "device" },
    issuer: { commonName: "issuer", organization: "Works" },
    spki: signer.spki,
    signer,
    serial: Uint8Array.of(0x5f, 1, 2, 3),
    notBefore: 1_700_000_000,
    notAfter: 1_800_000_000,
    purposes: ["1.3.6.1.5.5.7.3.2"],
    crlUrl: "http://a.example/crl",
  })
  certificate = parseCertificate(der)
})

/** Everything that is done to a certificate that comes from outside. */
async function runAll(bytes: Uint8Array): Promise<"refused" | "findings" | "unsigned" | "good"> {
  try {
    const parsed = parseCertificate(bytes)
    if (checkDeviceProfile(parsed).length > 0) return "findings"
    return (await verifyCertificateSignature(parsed, signer.spki, crypto)) ? "good" : "unsigned"
  } catch (error) {
    if (error instanceof DerError || error instanceof CertificateMalformedError) return "refused"
    throw error
  }
}

describe("parseCertificate", () => {
  it("hands out slices of what it was given, as plain Uint8Arrays", () => {
    const buffer = Buffer.from(der)
    const parsed = parseCertificate(buffer)
    for (const part of [parsed.der, parsed.tbs, parsed.spki, parsed.serial, parsed.issuerDer, parsed.signatureValue]) {
      expect(part.constructor).toBe(Uint8Array)
      expect(part.buffer).toBe(buffer.buffer)
    }
    expect(toHex(parsed.der)).toBe(toHex(der))
  })

  it("refuses every cut of a certificate, and a byte behind", () => {
    for (let length = 0; length < der.length; length++) {
      expect(() => parseCertificate(der.subarray(0, length))).toThrow(DerTruncatedError)
    }
    expect(() => parseCertificate(concatBytes(der, Uint8Array.of(0)))).toThrow(DerTrailingBytesError)
  })

  it("never takes a certificate with one bit changed for the same, and never crashes on it", async () => {
    const verdicts: Record<string, number> = {}
    for (let bit = 0; bit < der.length * 8; bit++) {
      const other = der.slice()
      other[bit >> 3] = (other[bit >> 3] as number) ^ (1 << (bit & 7))
      const verdict = await runAll(other)
      verdicts[verdict] = (verdicts[verdict] ?? 0) + 1
    }
    expect(verdicts["good"]).toBeUndefined()
    expect(verdicts["refused"]).toBeGreaterThan(500)
    expect(verdicts["unsigned"]).toBeGreaterThan(500)
  })

  it("refuses or reads every certificate with one octet changed to any value", () => {
    let accepted = 0
    for (let at = 0; at < der.length; at++) {
      for (let value = 0; value < 256; value += 5) {
        try {
          parseCertificate(der.with(at, value))
          accepted++
        } catch (error) {
          expect(error).toBeInstanceOf(FleetrootError)
        }
      }
    }
    expect(accepted).toBeGreaterThan(1000)
  })

  it("reads in what it accepts the same as two others, mutated certificates included", () => {
    let compared = 0
    const refusedByOpenssl: string[] = []
    for (let at = 0; at < der.length; at++) {
      for (const change of [0x01, 0x02, 0x20, 0x80, 0xff]) {
        const bytes = der.with(at, (der[at] as number) ^ change)
        let ours: Certificate
        try {
          ours = parseCertificate(bytes)
        } catch {
          continue
        }
        if (opensslReads(bytes)) expectSameAsOpenssl(ours)
        else refusedByOpenssl.push(`${at} ^ ${change}`)
        expectSameAsPeculiar(ours)
        compared++
      }
    }
    expect(compared).toBeGreaterThan(800)
    expect(refusedByOpenssl).toEqual([])
  })

  it("throws nothing but our errors on random changes, cuts, insertions and repetitions", async () => {
    const change = fc.record({
      at: fc.nat(der.length - 1),
      kind: fc.constantFrom("set", "cut", "insert", "repeat"),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 6 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 5 }), async (changes) => {
        let bytes = der
        for (const { at, kind, bytes: extra } of changes) {
          const head = bytes.subarray(0, at)
          const tail = bytes.subarray(at)
          if (kind === "set") bytes = concatBytes(head, extra, tail.subarray(extra.length))
          else if (kind === "cut") bytes = concatBytes(head, tail.subarray(extra.length))
          else if (kind === "insert") bytes = concatBytes(head, extra, tail)
          else bytes = concatBytes(head, tail.subarray(0, extra.length), tail)
        }
        if (toHex(bytes) !== toHex(der)) expect(await runAll(bytes)).not.toBe("good")
      }),
      { numRuns: 20_000, plugins: [fc.interruptAfterTimeLimit(15_000)] },
    )
  })

  it("throws nothing but our errors on DER of any shape", () => {
    const leaf = fc.oneof(
      fc.uint8Array({ maxLength: 30 }).map(derOctetString),
      fc.uint8Array({ maxLength: 30 }).map(derBitString),
      fc.uint8Array({ maxLength: 22 }).map(derUnsigned),
      fc.constantFrom(fromHex("0x0500"), fromHex("0x0101ff"), fromHex("0x06032a8648"), utcTime("250101000000Z")),
      fc.constantFrom(signer.spki, fromHex("0x300a06082a8648ce3d040302")),
    )
    const { node } = fc.letrec<{ node: Uint8Array }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 5 },
        leaf,
        fc.array(tie("node"), { maxLength: 8 }).map((children) => derSequence(...children)),
        fc.tuple(fc.constantFrom(0xa0, 0xa3, 0x31), tie("node")).map(([tag, child]) => derElement(tag, child)),
      ),
    }))
    fc.assert(
      fc.property(node, (bytes) => {
        for (const read of [parseCertificate, parseCsr]) {
          try {
            read(bytes)
          } catch (error) {
            expect(error).toBeInstanceOf(FleetrootError)
          }
        }
      }),
      { numRuns: 5000 },
    )
  })

  const refused: [string, new (...values: never[]) => Error, Partial<RawParts>][] = [
    ["version 4", CertificateMalformedError, { version: derElement(0xa0, derUnsigned(Uint8Array.of(3))) }],
    ["version 257", CertificateMalformedError, { version: derElement(0xa0, derUnsigned(Uint8Array.of(1, 0))) }],
    ["two versions", DerTrailingBytesError, { version: derElement(0xa0, fromHex("0x020102020102")) }],
    ["a padded serial", DerValueError, { serial: fromHex("0x02020001") }],
    ["a serial without content", DerValueError, { serial: fromHex("0x0200") }],
    ["an OCTET STRING as serial", DerTagError, { serial: fromHex("0x040101") }],
    ["no serial", DerTagError, { serial: new Uint8Array(0) }],
    [
      "three times",
      DerTrailingBytesError,
      { validity: derSequence(...Array.from({ length: 3 }, () => utcTime("250101000000Z"))) },
    ],
    ["one time", DerTagError, { validity: derSequence(utcTime("250101000000Z")) }],
    [
      "a time as text",
      DerTagError,
      { validity: derSequence(derElement(0x0c, Uint8Array.of(0x32)), utcTime("250101000000Z")) },
    ],
    [
      "30 February",
      CertificateMalformedError,
      { validity: derSequence(utcTime("250101000000Z"), utcTime("300230000000Z")) },
    ],
    [
      "a key with unused bits",
      DerValueError,
      { spki: derSequence(fromHex("0x300506032b6570"), fromHex("0x03020780")) },
    ],
    [
      "a key of three elements",
      DerTrailingBytesError,
      { spki: derSequence(fromHex("0x300506032b6570"), fromHex("0x030100"), fromHex("0x0500")) },
    ],
    ["unique identifiers in the wrong order", DerTrailingBytesError, { uniqueIds: fromHex("0x8202000181020001") }],
    [
      "unique identifiers in v1",
      CertificateMalformedError,
      { version: new Uint8Array(0), uniqueIds: fromHex("0x81020001") },
    ],
    ["no extension in the list", CertificateMalformedError, { extensions: extensions() }],
    [
      "two lists of extensions",
      DerTrailingBytesError,
      { extensions: derElement(0xa3, derSequence(extension("0x2a03", Uint8Array.of(1))), derSequence()) },
    ],
    [
      "an extension of four parts",
      DerTrailingBytesError,
      { extensions: extensions(derSequence(fromHex("0x06012a"), fromHex("0x0400"), fromHex("0x0500"))) },
    ],
    [
      "critical as 01",
      DerValueError,
      { extensions: extensions(derSequence(fromHex("0x06012a"), fromHex("0x010101"), fromHex("0x0400"))) },
    ],
    [
      "basicConstraints that are empty",
      DerTruncatedError,
      { extensions: extensions(extension("0x551d13", new Uint8Array(0))) },
    ],
    [
      "basicConstraints with more",
      DerTrailingBytesError,
      { extensions: extensions(extension("0x551d13", fromHex("0x30030101ff0500").with(1, 5))) },
    ],
    [
      "basicConstraints in BER",
      DerValueError,
      { extensions: extensions(extension("0x551d13", fromHex("0x3003010101"))) },
    ],
    [
      "a negative path length",
      CertificateMalformedError,
      { extensions: extensions(extension("0x551d13", fromHex("0x30060101ff0201ff"))) },
    ],
    [
      "a path length of three octets",
      CertificateMalformedError,
      { extensions: extensions(extension("0x551d13", fromHex("0x30080101ff0203010000"))) },
    ],
    [
      "keyUsage that is no BIT STRING",
      DerTagError,
      { extensions: extensions(extension("0x551d0f", fromHex("0x040180"))) },
    ],
    [
      "keyUsage without a bit",
      CertificateMalformedError,
      { extensions: extensions(extension("0x551d0f", fromHex("0x030100"))) },
    ],
    [
      "keyUsage with unused bits set",
      DerValueError,
      { extensions: extensions(extension("0x551d0f", fromHex("0x030207ff"))) },
    ],
    ["no purpose", CertificateMalformedError, { extensions: extensions(extension("0x551d25", fromHex("0x3000"))) }],
    ["a purpose that is no OID", DerTagError, { extensions: extensions(extension("0x551d25", fromHex("0x30020500"))) }],
    [
      "a key identifier with bytes behind",
      DerTrailingBytesError,
      { extensions: extensions(extension("0x551d0e", fromHex("0x04010100"))) },
    ],
    [
      "an authority with an issuer alone",
      CertificateMalformedError,
      { extensions: extensions(extension("0x551d23", fromHex("0x3002a100"))) },
    ],
    [
      "an authority with an unknown part",
      DerTrailingBytesError,
      { extensions: extensions(extension("0x551d23", fromHex("0x30028300"))) },
    ],
    ["an issuer that is no Name", DerTagError, { issuer: derSequence(derSequence()) }],
    ["an issuer with an empty part", DerTruncatedError, { issuer: derSequence(derElement(0x31)) }],
    [
      "an attribute without value",
      DerTruncatedError,
      { subject: derSequence(derElement(0x31, derSequence(fromHex("0x06012a")))) },
    ],
    [
      "a name that is not UTF-8",
      DerValueError,
      { subject: derSequence(derElement(0x31, derSequence(fromHex("0x06012a0c01ff")))) },
    ],
    [
      "an algorithm of three parts",
      DerTrailingBytesError,
      { innerAlgorithm: derSequence(fromHex("0x06012a05000500")) },
    ],
    ["an algorithm without OID", DerTagError, { innerAlgorithm: derSequence(fromHex("0x0500")) }],
    [
      "17 levels",
      DerLimitError,
      { subject: Array.from({ length: 16 }).reduce<Uint8Array>((inner) => derSequence(inner), derSequence()) },
    ],
  ]
  for (const [what, errorClass, changes] of refused) {
    it(`refuses ${what} as ${errorClass.name}`, async () => {
      const bytes = await rawCertificate(signer, changes)
      expect(() => parseCertificate(bytes)).toThrow(errorClass)
    })
  }

  it("refuses a signature with unused bits, a fourth part and a foreign outer shape", () => {
    const { tbs, signatureAlgorithmDer: algorithm } = certificate
    expect(() => parseCertificate(derSequence(tbs, algorithm, fromHex("0x03020180")))).toThrow(DerValueError)
    const four = derSequence(tbs, algorithm, fromHex("0x03020080"), fromHex("0x0500"))
    expect(() => parseCertificate(four)).toThrow(DerTrailingBytesError)
    expect(() => parseCertificate(derSequence(tbs, algorithm))).toThrow(DerTruncatedError)
    expect(() => parseCertificate(derElement(0x31, tbs, algorithm, fromHex("0x030100")))).toThrow(DerTagError)
    expect(() => parseCertificate(tbs)).toThrow(DerError)
    expect(() => parseCertificate("x" as unknown as Uint8Array)).toThrow(DerInputError)
    expect(() => parseCsr(undefined as unknown as Uint8Array)).toThrow(DerInputError)
  })

  it("reads 2,000 certificates in well under a second", () => {
    const started = performance.now()
    for (let i = 0; i < 2000; i++) parseCertificate(der)
    expect(performance.now() - started).toBeLessThan(1000)
  })

  it("reads the certificates of RFC 7925 and IEEE 802.1AR", () => {
    for (const name of ["RFC7925", "IEEE_802.1AR"]) {
      const pem = readFileSync(new URL(`../../vectors/certificates/${name}.crt`, import.meta.url))
      const parsed = parseCertificate(new Uint8Array(new X509Certificate(pem).raw))
      expectSameAsPeculiar(parsed)
      expectSameAsOpenssl(parsed)
      expect(checkDeviceProfile(parsed)).toEqual([])
    }
  })
})

describe("the credential hash", () => {
  it("is the same for a certificate and its signature's twin, whose fingerprint differs", async () => {
    const raw = ecdsaDerToRaw(certificate.signatureValue, 32)
    const twinS = (P256_ORDER - BigInt(toHex(raw.subarray(32)))).toString(16).padStart(64, "0")
    const signature = ecdsaRawToDer(concatBytes(raw.subarray(0, 32), fromHex(`0x${twinS}`)))
    const twin = parseCertificate(
      derSequence(certificate.tbs, certificate.signatureAlgorithmDer, derBitString(signature)),
    )

    expect(await verifyCertificateSignature(twin, signer.spki, crypto), "the twin is genuine too").toBe(true)
    expect(await verifyCertificateSignature(certificate, signer.spki, crypto)).toBe(true)
    expect(twin.credentialHash).toBe(certificate.credentialHash)
    expect(twin.keyId).toBe(certificate.keyId)
    expect(twin.fingerprint).not.toBe(certificate.fingerprint)
  })
})

describe("verifyCertificateSignature", () => {
  it("is false when the inner algorithm differs from the outer, though the signature is right", async () => {
    const bytes = await rawCertificate(signer, { innerAlgorithm: fromHex("0x300a06082a8648ce3d040303") })
    expect(await verifyCertificateSignature(parseCertificate(bytes), signer.spki, crypto)).toBe(false)
  })

  it("is false for an algorithm that the issuer's key cannot make", async () => {
    const ed25519 = fromHex("0x300506032b6570")
    const bytes = await rawCertificate(signer, { innerAlgorithm: ed25519, outerAlgorithm: ed25519 })
    expect(await verifyCertificateSignature(parseCertificate(bytes), signer.spki, crypto)).toBe(false)
    const unknown = fromHex("0x3003060105")
    const odd = await rawCertificate(signer, { innerAlgorithm: unknown, outerAlgorithm: unknown })
    expect(await verifyCertificateSignature(parseCertificate(odd), signer.spki, crypto)).toBe(false)
  })

  it("is false for an issuer key of a kind that is not ours, and an error for one that is unsound", async () => {
    expect(await verifyCertificateSignature(certificate, fromHex("0x3000"), crypto)).toBe(false)
    expect(await verifyCertificateSignature(certificate, new Uint8Array(0), crypto)).toBe(false)
    const unsound = signer.spki.with(60, (signer.spki[60] as number) ^ 1)
    await expect(verifyCertificateSignature(certificate, unsound, crypto)).rejects.toThrow(PublicKeyInvalidError)
  })
})

describe("parseCsr", () => {
  it("refuses every cut, and no changed bit leaves the request proven", async () => {
    const csr = await buildCsr({
      subject: { commonName: "device" },
      signer,
      extensions: [{ oid: "2.5.29.15", critical: true, value: fromHex("0x03020780") }],
    })
    for (let length = 0; length < csr.length; length++) {
      expect(() => parseCsr(csr.subarray(0, length))).toThrow(DerTruncatedError)
    }
    for (let bit = 0; bit < csr.length * 8; bit++) {
      const other = csr.with(bit >> 3, (csr[bit >> 3] as number) ^ (1 << (bit & 7)))
      try {
        expect(await verifyCsr(parseCsr(other), crypto)).toBe(false)
      } catch (error) {
        expect(error).toBeInstanceOf(FleetrootError)
      }
    }
  })

  it("refuses another version, an attribute without value and two requests for extensions", () => {
    const tail = derSequence(fromHex("0x300a06082a8648ce3d040302"))
    const request = (version: number, attributes: Uint8Array) => {
      const info = derSequence(derUnsigned(Uint8Array.of(version)), derSequence(), signer.spki, attributes)
      return derSequence(info, tail.subarray(2), derBitString(Uint8Array.of(1)))
    }
    const extensionRequest = derSequence(
      fromHex("0x06092a864886f70d01090e"),
      derElement(0x31, derSequence(derSequence(fromHex("0x06012a"), fromHex("0x0400")))),
    )
    expect(parseCsr(request(0, derElement(0xa0, extensionRequest))).requestedExtensions).toHaveLength(1)
    expect(parseCsr(request(0, new Uint8Array(0))).attributes).toEqual([])
    const bad = [
      request(1, derElement(0xa0)),
      request(0, derElement(0xa0, extensionRequest, extensionRequest)),
      request(0, derElement(0xa0, derSequence(fromHex("0x06012a"), derElement(0x31)))),
    ]
    for (const bytes of bad) expect(() => parseCsr(bytes)).toThrow(CertificateMalformedError)
  })
})

function opensslReads(bytes: Uint8Array): boolean {
  try {
    return new X509Certificate(bytes).raw.length > 0
  } catch {
    return false
  }
}
