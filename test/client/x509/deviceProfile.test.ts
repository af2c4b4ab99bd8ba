import { beforeAll, describe, expect, it } from "vitest"
import { derBitString, derElement, derSequence, derUnsigned } from "../../../client/crypto/derWriter.ts"
import { concatBytes, fromHex } from "../../../client/crypto/hex.ts"
import { encodePublicKey } from "../../../client/crypto/publicKey.ts"
import { generateP256Key } from "../../../client/crypto/signer.ts"
import type { KeySigner } from "../../../client/crypto/signer.ts"
import { parseCertificate } from "../../../client/x509/certificate.ts"
import { checkDeviceProfile } from "../../../client/x509/deviceProfile.ts"
import type { ProfileFindingCode } from "../../../client/x509/deviceProfile.ts"
import { extension, extensions, generalizedTime, rawCertificate, utcTime } from "./rawCertificate.ts"
import type { RawParts } from "./rawCertificate.ts"

const NOTHING = new Uint8Array(0)
const CONSTRAINTS = "0x551d13"
const KEY_USAGE = "0x551d0f"
const PURPOSES = "0x551d25"
const purpose = (last: number) => derElement(0x06, fromHex("0x2b06010505070300"), NOTHING).with(9, last)
const purposes = (...lasts: number[]) => extension(PURPOSES, derSequence(...lasts.map(purpose)))
const usage = (bits: number) => extension(KEY_USAGE, derElement(0x03, Uint8Array.of(0, bits)), true)
const validity = (from: Uint8Array, until: Uint8Array): Partial<RawParts> => ({ validity: derSequence(from, until) })
const algorithm = (hex: string): Partial<RawParts> => ({ innerAlgorithm: fromHex(hex), outerAlgorithm: fromHex(hex) })

let signer: KeySigner
beforeAll(async () => {
  signer = await generateP256Key()
})

async function findings(changes: Partial<RawParts>): Promise<ProfileFindingCode[]> {
  return checkDeviceProfile(parseCertificate(await rawCertificate(signer, changes))).map(({ code }) => code)
}

describe("checkDeviceProfile", () => {
  const refused: [string, ProfileFindingCode[], Partial<RawParts>][] = [
    ["v2", ["versionUnfit"], { version: derElement(0xa0, derUnsigned(Uint8Array.of(1))), extensions: NOTHING }],
    ["v1 with extensions", ["versionUnfit"], { version: NOTHING }],
    [
      "an algorithm that differs inside",
      ["signatureAlgorithmsDiffer"],
      { innerAlgorithm: fromHex("0x300a06082a8648ce3d040303") },
    ],
    ["ecdsa-with-SHA1", ["signatureAlgorithmUnknown"], algorithm("0x300906072a8648ce3d0401")],
    ["ECDSA with NULL parameters", ["signatureParametersWrong"], algorithm("0x300c06082a8648ce3d0403020500")],
    ["Ed25519 with NULL parameters", ["signatureParametersWrong"], algorithm("0x300706032b65700500")],
    ["PKCS#1 without parameters", ["signatureParametersWrong"], algorithm("0x300b06092a864886f70d01010b")],
    [
      "PSS without parameters, which means SHA-1",
      ["signatureParametersWrong"],
      algorithm("0x300b06092a864886f70d01010a"),
    ],
    ["serial zero", ["serialNotPositive"], { serial: derUnsigned(Uint8Array.of(0)) }],
    ["a negative serial", ["serialNotPositive"], { serial: derElement(0x02, Uint8Array.of(0x80, 1)) }],
    ["a serial of 21 octets", ["serialTooLong"], { serial: derUnsigned(new Uint8Array(20).fill(0xff)) }],
    ["an issuer without a name", ["issuerEmpty"], { issuer: derSequence() }],
    ["an end before its beginning", ["validityReversed"], validity(utcTime("350101000000Z"), utcTime("250101000000Z"))],
    [
      "GeneralizedTime before 2050",
      ["validityFormWrong"],
      validity(generalizedTime("20250101000000Z"), utcTime("350101000000Z")),
    ],
    [
      "GeneralizedTime at the end of 2049",
      ["validityFormWrong"],
      validity(utcTime("250101000000Z"), generalizedTime("20491231235959Z")),
    ],
    [
      "RSA without NULL",
      ["keyAlgorithmUnknown"],
      { spki: derSequence(fromHex("0x300b06092a864886f70d010101"), derBitString(NOTHING)) },
    ],
    [
      "a point off the curve",
      ["publicKeyInvalid"],
      { spki: encodePublicKey("p256", concatBytes(Uint8Array.of(4), new Uint8Array(64).fill(1))) },
    ],
    ["a compressed point", ["publicKeyInvalid"], { spki: encodePublicKey("p256", new Uint8Array(33).fill(2)) }],
    ["Ed25519 of 33 octets", ["publicKeyInvalid"], { spki: encodePublicKey("ed25519", new Uint8Array(33).fill(2)) }],
    ["RSA with exponent 3", ["publicKeyInvalid"], { spki: rsaKey(2048, Uint8Array.of(3)) }],
    ["RSA of 1024 bits", ["publicKeyInvalid"], { spki: rsaKey(1024, Uint8Array.of(1, 0, 1)) }],
    [
      "an extension twice",
      ["extensionDuplicate"],
      { extensions: extensions(extension("0x2a03", NOTHING), extension("0x2a03", NOTHING)) },
    ],
    [
      "an unknown critical extension",
      ["criticalExtensionUnknown"],
      { extensions: extensions(extension("0x2a03", NOTHING, true)) },
    ],
    [
      "critical name constraints",
      ["criticalExtensionUnknown"],
      { extensions: extensions(extension("0x551d1e", derSequence(), true)) },
    ],
    ["a CA", ["caCertificate"], { extensions: extensions(extension(CONSTRAINTS, fromHex("0x30030101ff"), true)) }],
    [
      "a path length without CA",
      ["pathLengthWithoutCa"],
      { extensions: extensions(extension(CONSTRAINTS, fromHex("0x3003020100"), true)) },
    ],
    ["keyCertSign", ["keyUsageOfCa"], { extensions: extensions(usage(0x80 | 0x04)) }],
    ["cRLSign", ["keyUsageOfCa"], { extensions: extensions(usage(0x80 | 0x02)) }],
    ["keyEncipherment alone", ["keyUsageUnfit"], { extensions: extensions(usage(0x20)) }],
    ["the purpose OCSPSigning alone", ["extendedKeyUsageUnfit"], { extensions: extensions(purposes(9)) }],
    ["signing purposes alone", ["extendedKeyUsageUnfit"], { extensions: extensions(purposes(3, 8, 9)) }],
    [
      "a CA hidden behind a first basicConstraints without cA",
      ["extensionDuplicate", "caCertificate"],
      {
        extensions: extensions(
          extension(CONSTRAINTS, derSequence(), true),
          extension(CONSTRAINTS, fromHex("0x30030101ff"), true),
        ),
      },
    ],
    [
      "several faults at once, in the order of the rules",
      ["signatureAlgorithmsDiffer", "serialNotPositive", "issuerEmpty", "caCertificate"],
      {
        innerAlgorithm: fromHex("0x300a06082a8648ce3d040303"),
        serial: derUnsigned(Uint8Array.of(0)),
        issuer: derSequence(),
        extensions: extensions(extension(CONSTRAINTS, fromHex("0x30030101ff"), true)),
      },
    ],
  ]
  for (const [what, codes, changes] of refused) {
    it(`finds ${codes[0]}: ${what}`, async () => {
      expect(await findings(changes)).toEqual(codes)
    })
  }

  const accepted: [string, Partial<RawParts>][] = [
    ["the certificate that all others are made from", {}],
    ["v1 without extensions", { version: NOTHING, extensions: NOTHING }],
    ["v3 without extensions", { extensions: NOTHING }],
    ["a serial of 20 octets", { serial: derUnsigned(new Uint8Array(20).fill(0x7f)) }],
    ["a validity of one second", validity(utcTime("250101000000Z"), utcTime("250101000000Z"))],
    ["no end, as IEEE 802.1AR writes it", validity(utcTime("250101000000Z"), generalizedTime("99991231235959Z"))],
    [
      "the last UTCTime and the first GeneralizedTime",
      validity(utcTime("491231235959Z"), generalizedTime("20500101000000Z")),
    ],
    [
      "a critical subjectAltName",
      { extensions: extensions(extension("0x551d11", derSequence(derElement(0x82, Uint8Array.of(0x61))), true)) },
    ],
    ["an unknown extension that is not critical", { extensions: extensions(extension("0x2a03", Uint8Array.of(0xff))) }],
    ["critical false, written out", { extensions: extensions(extension("0x2a03", NOTHING, false)) }],
    ["cA false, written out", { extensions: extensions(extension(CONSTRAINTS, fromHex("0x3003010100"), true)) }],
    ["keyAgreement alone", { extensions: extensions(usage(0x08)) }],
    ["OCSPSigning beside clientAuth", { extensions: extensions(purposes(9, 2)) }],
    ["unique identifiers", { uniqueIds: concatBytes(fromHex("0x81020001"), fromHex("0x82020002")) }],
    ["a subject without a name", { subject: derSequence() }],
  ]
  for (const [what, changes] of accepted) {
    it(`accepts ${what}`, async () => {
      expect(await findings(changes)).toEqual([])
    })
  }

  it("says the value in the message and keeps one code for each rule", async () => {
    const certificate = parseCertificate(
      await rawCertificate(signer, { extensions: extensions(extension("0x2a03", NOTHING, true)) }),
    )
    expect(checkDeviceProfile(certificate)).toEqual([
      { code: "criticalExtensionUnknown", message: "Extension 1.2.3 is critical and not understood." },
    ])
  })
})

function rsaKey(bits: number, exponent: Uint8Array): Uint8Array {
  return encodePublicKey("rsa", derSequence(derUnsigned(new Uint8Array(bits / 8).fill(0xab)), derUnsigned(exponent)))
}
