import { readFileSync } from "node:fs"
import { p256 } from "@noble/curves/nist.js"
import { beforeAll, describe, expect, it } from "vitest"
import { decodeRawPublicKey, encodeRawPublicKeyPayload, verifyRawPublicKey } from "../../../client/cose/rawPublicKey.ts"
import { decodeSign1, sign1ToBeSigned } from "../../../client/cose/sign1.ts"
import { defaultCrypto } from "../../../client/crypto/defaultCrypto.ts"
import { concatBytes, fromHex, toHex } from "../../../client/crypto/hex.ts"
import type { Hex } from "../../../client/crypto/hex.ts"
import { keyIdOf } from "../../../client/crypto/keyId.ts"
import { encodePublicKey } from "../../../client/crypto/publicKey.ts"
import {
  bytesSource,
  decodeManifestHeader,
  encodeManifestHeader,
  readManifest,
} from "../../../client/merkle/manifest.ts"
import { decodeReceipt, encodeReceipt } from "../../../client/merkle/receipt.ts"
import { MerkleTree, inclusionProofLength, leafHash, nodeHash, verifyInclusion } from "../../../client/merkle/tree.ts"
import { parseCertificate } from "../../../client/x509/certificate.ts"
import { encodePositionSerial } from "../../../client/x509/positionSerial.ts"
import { verifyCertificateSignature } from "../../../client/x509/verifyCertificate.ts"
import { hash } from "./naiveTree.ts"

const page = readFileSync(new URL("../../../docs/formats.md", import.meta.url), "utf8")

/** The bytes of an example on the page: everything but remarks and white space is hex. */
function example(name: string): Uint8Array {
  const found = page.split(`<!-- example: ${name} -->`)
  expect(found, `exactly one example "${name}"`).toHaveLength(2)
  const block = /^\s*```text\n(.*?)\n```/s.exec(found[1]!)
  const digits = block![1]!
    .split("\n")
    .map((line) => line.split(";")[0])
    .join("")
  return fromHex(`0x${digits.replaceAll(/\s/g, "")}`)
}

/** The example cut into hashes of 32 bytes. */
function hashesOf(name: string): Uint8Array[] {
  const bytes = example(name)
  return Array.from({ length: bytes.length / 32 }, (_, i) => bytes.slice(i * 32, i * 32 + 32))
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)

/** RFC 6979, A.2.5. */
const PRIVATE_KEY = fromHex("0xc9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")
const REGISTRY: Hex = "0x5fbdb2315678afecb367f032d93f642f64180aa3"
const NOT_AFTER = Date.UTC(2035, 11, 31, 23, 59, 59) / 1000
const PLACE = { chainId: 31337n, registry: REGISTRY, manufacturerId: 2, series: 2_147_483_649 }

const spki = example("issuer-spki")
const issuerKeyId = toHex(example("issuer-key-id"))
const certificate = example("certificate")
const credentialHash = example("credential-hash")
const credentialHashes = hashesOf("batch-credential-hashes")
const root = example("batch-root")
const proof = hashesOf("batch-proof")

describe("docs/formats.md", () => {
  it("shows the issuer key and its key id", () => {
    expect(encodePublicKey("p256", p256.getPublicKey(PRIVATE_KEY, false))).toEqual(spki)
    expect(keyIdOf(spki)).toBe(issuerKeyId)
    expect(toHex(hash(spki))).toBe(issuerKeyId)
  })

  it("shows a certificate that the issuer key signed, and its credential hash", async () => {
    expect(hash(certificate.slice(4, 336))).toEqual(credentialHash)
    const parsed = parseCertificate(certificate)
    expect(parsed.credentialHash).toBe(toHex(credentialHash))
    await expect(verifyCertificateSignature(parsed, spki, defaultCrypto())).resolves.toBe(true)
  })

  describe("Raw public key credential", () => {
    const message = example("raw-public-key")
    const payload = example("raw-public-key-payload")
    const deviceId = Uint8Array.from({ length: 16 }, (_, i) => i)
    const fields = { spki, notBefore: Date.UTC(2026, 0, 1) / 1000, notAfter: NOT_AFTER, deviceId }

    it("shows the payload and its credential hash", () => {
      expect(encodeRawPublicKeyPayload(fields)).toEqual(payload)
      expect(hash(payload)).toEqual(example("raw-public-key-hash"))
      expect(payload.slice(4, 95)).toEqual(spki)
    })

    it("shows a message that is signed and read", async () => {
      const credential = await verifyRawPublicKey(message, defaultCrypto())
      expect(credential).toMatchObject({ ...fields, keyId: issuerKeyId })
      expect(credential.credentialHash).toBe(toHex(example("raw-public-key-hash")))
      expect(decodeRawPublicKey(message).payload).toEqual(payload)
    })

    it("shows what is signed", () => {
      const { protectedBytes, signature } = decodeSign1(message)
      const toBeSigned = example("raw-public-key-to-be-signed")
      expect(sign1ToBeSigned({ protectedBytes, payload })).toEqual(toBeSigned)
      // RFC 6979 signatures can be made again.
      expect(p256.sign(toBeSigned, PRIVATE_KEY, { lowS: false })).toEqual(signature)
    })
  })

  it("shows the certificate's position serial", () => {
    const serial = example("position-serial")
    expect(encodePositionSerial({ ...PLACE, issuerKeyId, index: 2 })).toEqual(serial)
    expect(parseCertificate(certificate).serial).toEqual(serial)

    const chainId = new Uint8Array(32)
    chainId.set([0x7a, 0x69], 30)
    const bound = [ascii("fleetroot-serial-v1"), chainId, fromHex(REGISTRY), fromHex(issuerKeyId), serial.slice(0, 13)]
    expect(hash(...bound).slice(0, 7)).toEqual(serial.slice(13))
  })

  describe("Batch tree", () => {
    let leaves: Uint8Array[]
    beforeAll(() => {
      leaves = credentialHashes.map(leafHash)
    })

    it("shows the credential hashes and leaf hashes", () => {
      const expected = [0, 1, 2, 3, 4].map((i) => (i === 2 ? credentialHash : hash(ascii(`device ${i}`))))
      expect(credentialHashes).toEqual(expected)
      expect(leaves).toEqual(hashesOf("batch-leaf-hashes"))
      expect(hash(Uint8Array.of(0), credentialHash)).toEqual(leaves[2])
    })

    it("shows the nodes, the root and a proof", () => {
      const left = nodeHash(leaves[0]!, leaves[1]!)
      const right = nodeHash(leaves[2]!, leaves[3]!)
      const four = nodeHash(left, right)
      expect(hashesOf("batch-nodes")).toEqual([left, right, four])
      expect(hash(Uint8Array.of(1), four, leaves[4]!)).toEqual(root)

      const tree = MerkleTree.fromCredentialHashes(credentialHashes)
      expect(tree.root()).toEqual(root)
      expect(tree.inclusionProof(2)).toEqual(proof)
    })
  })

  it("shows a receipt that proves the certificate's place", () => {
    const bytes = example("receipt")
    const receipt = { ...PLACE, size: 5, index: 2, proof }
    expect(encodeReceipt(receipt)).toEqual(bytes)
    expect(decodeReceipt(bytes)).toEqual(receipt)
    expect(verifyInclusion({ ...decodeReceipt(bytes), credentialHash, root })).toBe(true)
  })

  it("tells how long receipts get", () => {
    const largest = { ...PLACE, chainId: 2n ** 64n - 1n, manufacturerId: 2 ** 32 - 1, series: 2 ** 32 - 1 }
    const lengthFor = (size: number, index: number): string => {
      const siblings = Array.from({ length: inclusionProofLength(index, size) }, () => new Uint8Array(32))
      return encodeReceipt({ ...largest, size, index, proof: siblings }).length.toLocaleString("en")
    }
    expect(page).toContain(`one of a million devices has at most ${lengthFor(1_000_000, 500_000)} bytes`)
    expect(page).toContain(`one of 2^32-1 at most ${lengthFor(2 ** 32 - 1, 2 ** 31)}`)
  })

  it("shows the manifest's header, and the file it begins is whole", async () => {
    const bytes = example("manifest-header")
    const header = { ...PLACE, kind: "x509" as const, size: 5, notAfter: NOT_AFTER, root: toHex(root), issuerKeyId }
    expect(encodeManifestHeader(header)).toEqual(bytes)
    expect(decodeManifestHeader(bytes)).toEqual(header)

    const manifest = await readManifest(bytesSource(concatBytes(bytes, ...credentialHashes)), { root: toHex(root) })
    await expect(manifest.inclusionProof(2)).resolves.toEqual(proof)
  })
})
