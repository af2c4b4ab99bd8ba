import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { generateP256Key } from "../../client/index.ts"
import { readCrl } from "../../gateway/crl/crlReader.ts"
import { encodeEntryTail, EntryBuffer, writeCrl } from "../../gateway/crl/crlWriter.ts"
import {
  CrlMalformedError,
  OcspRequestMalformedError,
  OcspRequestTooManyError,
} from "../../gateway/errors/revocation.ts"
import { encodeCertId, encodeOcspRequest, readOcspRequest } from "../../gateway/ocsp/codec.ts"
import type { CertIdHash } from "../../gateway/ocsp/codec.ts"
import { requestInPath } from "../../gateway/ocsp/index.ts"
import { mutate, SeededRandom } from "../helpers/mutate.ts"

const INPUTS = 1_000_000
const LENGTHS: Record<CertIdHash, number> = { sha1: 20, sha256: 32, sha384: 48, sha512: 64 }

function certId(hash: CertIdHash, serial = new Uint8Array(20).fill(0x5f)): Uint8Array {
  const digest = new Uint8Array(LENGTHS[hash]).fill(7)
  return encodeCertId({ hash, issuerNameHash: digest, issuerKeyHash: digest, serial })
}

/** Reads mutants of the seeds: how many were accepted, and the first error that no reader may throw. */
function fuzz(
  seeds: readonly Uint8Array[],
  read: (bytes: Uint8Array) => void,
  isRefusal: (error: unknown) => boolean,
  inputs = INPUTS,
): { accepted: number; wrong: unknown } {
  const random = new SeededRandom(20_261_123)
  let accepted = 0
  for (let i = 0; i < inputs; i++) {
    const bytes = mutate(random, seeds)
    try {
      read(bytes)
      accepted++
    } catch (error) {
      if (!isRefusal(error)) return { accepted, wrong: error }
    }
  }
  return { accepted, wrong: undefined }
}

describe("a million mutants", () => {
  let crls: Uint8Array[]
  const { stackTraceLimit } = Error

  afterAll(() => {
    Error.stackTraceLimit = stackTraceLimit
  })

  beforeAll(async () => {
    // Traces of errors that nobody looks at would be half of the time.
    Error.stackTraceLimit = 0
    const signer = await generateP256Key()
    const buffer = new EntryBuffer()
    buffer.add(Uint8Array.of(1), encodeEntryTail({ revokedAt: 1_700_000_000, reason: 0, invalidityDate: undefined }))
    buffer.add(new Uint8Array(20).fill(9), encodeEntryTail({ revokedAt: 1, reason: 6, invalidityDate: 2 }))
    const shared = {
      issuerDer: Uint8Array.of(0x30, 0),
      signer,
      authorityKeyIdentifier: Uint8Array.of(1, 2, 3),
      thisUpdate: 1_800_000_000,
      nextUpdate: 2_900_000_000,
      number: 5n,
    }
    crls = await Promise.all([
      writeCrl({ ...shared, entries: [] }),
      writeCrl({ ...shared, entries: [buffer.take()], freshestCrl: "http://a.example/d" }),
      writeCrl({ ...shared, entries: [buffer.take()], baseNumber: 4n, distributionPoint: "http://a.example/s" }),
    ])
  })

  it("of OCSP requests are read or refused by name", () => {
    const seeds = [
      encodeOcspRequest([certId("sha1")]),
      encodeOcspRequest([certId("sha256")], new Uint8Array(32).fill(3)),
      encodeOcspRequest([certId("sha384"), certId("sha512", Uint8Array.of(1))], Uint8Array.of(1)),
    ]
    const { accepted, wrong } = fuzz(
      seeds,
      (bytes) => {
        for (const { der, serial } of readOcspRequest(bytes, 64).certIds) {
          if (der.length < 50 || serial.length > 20) throw new Error("a CertID of no such form")
        }
      },
      (error) => error instanceof OcspRequestMalformedError || error instanceof OcspRequestTooManyError,
    )
    expect(wrong).toBeUndefined()
    expect(accepted).toBeGreaterThan(10_000)
  })

  it("of CRLs are read to the last entry or refused by name", () => {
    const { accepted, wrong } = fuzz(
      crls,
      (bytes) => {
        for (const { serial, reason } of readCrl(bytes).entries()) {
          if (serial.length > 20 || reason > 10) throw new Error("an entry of no such form")
        }
      },
      (error) => error instanceof CrlMalformedError,
    )
    expect(wrong).toBeUndefined()
    expect(accepted).toBeGreaterThan(10_000)
  })

  it("of paths, fewer of them, are base64 or nothing", () => {
    const seeds = [
      new TextEncoder().encode(`/ocsp/${Buffer.from(encodeOcspRequest([certId("sha1")])).toString("base64")}`),
    ]
    const text = new TextDecoder("latin1")
    const { wrong } = fuzz(
      seeds,
      (bytes) => requestInPath(text.decode(bytes)),
      () => false,
      INPUTS / 10,
    )
    expect(wrong).toBeUndefined()
  })
})
