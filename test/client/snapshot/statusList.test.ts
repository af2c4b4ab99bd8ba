import { readFileSync } from "node:fs"
import { deflateSync } from "node:zlib"
import { importSPKI, jwtVerify } from "jose"
import { beforeAll, describe, expect, it } from "vitest"
import { decodeCbor, isCborMap } from "../../../client/cose/cbor.ts"
import { decodeSign1 } from "../../../client/cose/sign1.ts"
import {
  StatusListMalformedError,
  StatusListRangeError,
  StatusListSignatureError,
  StatusListSubjectError,
  StatusListTimeError,
  StatusListTooLargeError,
} from "../../../client/errors/statusList.ts"
import { defaultCrypto, encodePem, generateP256Key } from "../../../client/index.ts"
import type { KeySigner } from "../../../client/index.ts"
import {
  StatusList,
  decodeStatusListCbor,
  decodeStatusListJson,
  encodeStatusListCbor,
  encodeStatusListJson,
} from "../../../client/snapshot/statusList.ts"
import {
  decodeStatusListCwt,
  decodeStatusListJwt,
  signStatusListCwt,
  signStatusListJwt,
  verifyStatusListCwt,
  verifyStatusListJwt,
} from "../../../client/snapshot/statusListToken.ts"
import { generateSigner } from "../../helpers/signers.ts"

const folder = new URL("../../vectors/status-list/", import.meta.url)
const read = (name: string): string => readFileSync(new URL(name, folder), "utf8")
const hexOf = (text: string): Uint8Array =>
  new Uint8Array(Buffer.from(text.replace(/^[\s\S]*encoded:/, "").replaceAll(/\s/g, ""), "hex"))
/** The JSON of an example, whose long text is broken into lines. */
const jsonOf = (text: string): unknown =>
  JSON.parse(text.slice(text.indexOf("{")).replaceAll(/\n\s*(?=[\w-])/g, "")) as unknown

/** The statuses that are not 0. */
function statuses(list: StatusList): Record<number, number> {
  const found: Record<number, number> = {}
  for (let index = 0; index < list.size; index++) if (list.at(index) !== 0) found[index] = list.at(index)
  return found
}

/** Of the draft's appendix "Test vectors for Status List encoding", and of its section 4. */
const VECTORS: [name: string, bits: number, size: number, expected: Record<number, number>][] = [
  ["encoding", 1, 16, { 0: 1, 3: 1, 4: 1, 5: 1, 7: 1, 8: 1, 9: 1, 13: 1, 15: 1 }],
  ["encoding2", 2, 12, { 0: 1, 1: 2, 3: 3, 5: 1, 7: 1, 8: 1, 9: 2, 10: 3, 11: 3 }],
  [
    "encoding1_long",
    1,
    2 ** 20,
    {
      0: 1,
      1993: 1,
      25460: 1,
      159495: 1,
      495669: 1,
      554353: 1,
      645645: 1,
      723232: 1,
      854545: 1,
      934534: 1,
      1000345: 1,
    },
  ],
  [
    "encoding2_long",
    2,
    2 ** 20,
    {
      0: 1,
      1993: 2,
      25460: 1,
      159495: 3,
      495669: 1,
      554353: 1,
      645645: 2,
      723232: 1,
      854545: 1,
      934534: 2,
      1000345: 3,
    },
  ],
  [
    "encoding4",
    4,
    2 ** 20,
    {
      0: 1,
      1993: 2,
      35460: 3,
      459495: 4,
      595669: 5,
      754353: 6,
      845645: 7,
      923232: 8,
      924445: 9,
      934534: 10,
      1004534: 11,
      1000345: 12,
      1030203: 13,
      1030204: 14,
      1030205: 15,
    },
  ],
]

describe("the draft's status lists", () => {
  it.each(VECTORS)("decodes %s", async (name, bits, size, expected) => {
    const fromJson = await decodeStatusListJson(jsonOf(read(`status_list_${name}_json.md`)))
    const fromCbor = await decodeStatusListCbor(hexOf(read(`status_list_${name}_cbor.md`)))
    expect([fromJson.bits, fromJson.size]).toEqual([bits, size])
    expect(statuses(fromJson)).toEqual(expected)
    expect(fromCbor).toEqual(fromJson)
  })

  it("decodes encoding8, in which each of 255 statuses stands at one place", async () => {
    const fromJson = await decodeStatusListJson(jsonOf(read("status_list_encoding8_json.md")))
    expect(await decodeStatusListCbor(hexOf(read("status_list_encoding8_cbor.md")))).toEqual(fromJson)
    const found = statuses(fromJson)
    expect(Object.values(found).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 255 }, (_, i) => i + 1))
    expect(found).toMatchObject({ 1199: 121, 4520: 213, 19535: 255, 52451: 1 })
  })

  // The key of the draft's examples.
  const [X, Y] = ["I3HWm_0Ds1dPMI-IWmf4mBmH-YaeAVbPVu7vB27CxXo", "6N_d5Elj9bs1htgV3okJKIdbHEpkgTmAluYKJemzn1M"]
  const prefix = "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
  const spki = new Uint8Array(
    Buffer.concat([Buffer.from(prefix, "hex"), Buffer.from(X, "base64url"), Buffer.from(Y, "base64url")]),
  )
  const sub = "https://example.com/statuslists/1"
  const options = { spki, crypto: defaultCrypto(), sub, now: new Date(1_700_000_000_000) }
  const claims = { sub, iat: 1_686_920_170, exp: 2_291_720_170, ttl: 43_200 }

  it("verifies the JWT", async () => {
    const verified = await verifyStatusListJwt(read("status_list_jwt_raw.md").replaceAll(/\s/g, ""), options)
    expect(verified).toMatchObject(claims)
    expect(statuses(verified.list)).toEqual(VECTORS[0]![3])
  })

  it("verifies the CWT", async () => {
    const verified = await verifyStatusListCwt(hexOf(read("status_list_cwt.md")), options)
    expect(verified).toMatchObject(claims)
    expect(statuses(verified.list)).toEqual(VECTORS[0]![3])
  })
})

const SUB = "https://example.com/status/7"
const NOW = new Date("2026-03-01T00:00:00Z")
const IAT = NOW.getTime() / 1000
const LIST = StatusList.ofPlaces(1000, [
  { first: 3, last: 5, status: "revoked" },
  { first: 999, last: 999, status: "onHold" },
])

describe("a status list of our own", () => {
  it("tells revoked from held, with as few bits as do", () => {
    expect(statuses(LIST)).toEqual({ 3: 1, 4: 1, 5: 1, 999: 2 })
    expect(LIST.bits).toBe(2)
    expect(StatusList.ofPlaces(1000, [{ first: 1, last: 1, status: "revoked" }]).bits).toBe(1)
    expect(StatusList.ofPlaces(1000, []).bytes).toEqual(new Uint8Array(125))
  })

  it("calls nothing valid that is not good", () => {
    const barred = (["revoked", "onHold", "unknown", "good"] as const).map((status, i) => {
      return { first: 2 * i, last: 2 * i, status }
    })
    expect(statuses(StatusList.ofPlaces(8, barred))).toEqual({ 0: 1, 2: 2, 4: 2 })
    expect(statuses(StatusList.ofPlaces(8, barred, 1))).toEqual({ 0: 1, 2: 1, 4: 1 })
  })

  it("survives JSON and CBOR", async () => {
    expect(await decodeStatusListJson(await encodeStatusListJson(LIST))).toEqual(LIST)
    expect(await decodeStatusListCbor(await encodeStatusListCbor(LIST))).toEqual(LIST)
  })

  it("refuses places and statuses that it does not have", () => {
    for (const index of [-1, 0.5, 1000, NaN]) expect(() => LIST.at(index)).toThrow(StatusListRangeError)
    expect(() => StatusList.valid(8, 2).set(0, 4)).toThrow(StatusListRangeError)
  })
})

describe("a Status List Token of our own", () => {
  let signer: KeySigner
  let jwt: string
  let cwt: Uint8Array
  const claims = { sub: SUB, iat: IAT, exp: IAT + 3600, ttl: 300, list: LIST }
  const options = (): Parameters<typeof verifyStatusListJwt>[1] => {
    return { spki: signer.spki, crypto: defaultCrypto(), sub: SUB, now: NOW }
  }

  beforeAll(async () => {
    signer = await generateP256Key()
    jwt = await signStatusListJwt(claims, { signer, kid: "k" })
    cwt = await signStatusListCwt(claims, { signer, kid: "k" })
  })

  it("is read back, as JWT and as CWT", async () => {
    expect(await verifyStatusListJwt(jwt, options())).toEqual(claims)
    expect(await verifyStatusListCwt(cwt, options())).toEqual(claims)
    expect(await decodeStatusListJwt(jwt)).toEqual(claims)
    expect(await decodeStatusListCwt(cwt)).toEqual(claims)
  })

  it("needs neither an end nor a time to live", async () => {
    const bare = { sub: SUB, iat: IAT, list: LIST }
    expect(await verifyStatusListJwt(await signStatusListJwt(bare, { signer }), options())).toMatchObject(bare)
    expect(await verifyStatusListCwt(await signStatusListCwt(bare, { signer }), options())).toMatchObject(bare)
  })

  it("is a JWT to others", async () => {
    const key = await importSPKI(encodePem("PUBLIC KEY", signer.spki), "ES256")
    const { payload, protectedHeader } = await jwtVerify(jwt, key, { currentDate: NOW, typ: "statuslist+jwt" })
    expect(protectedHeader).toEqual({ alg: "ES256", kid: "k", typ: "statuslist+jwt" })
    expect(payload).toMatchObject({ sub: SUB, iat: IAT, exp: IAT + 3600, ttl: 300 })
  })

  it("is a tagged COSE_Sign1 with the claims of the draft", () => {
    expect(cwt[0]).toBe(0xd2)
    const { protectedHeaders, payload } = decodeSign1(cwt)
    expect(protectedHeaders.get(16)).toBe("application/statuslist+cwt")
    const map = decodeCbor(payload!)
    expect(isCborMap(map) && [...map.keys()]).toEqual([2, 4, 6, 65_533, 65_534])
  })

  it("is made with every key that signs", async () => {
    for (const algorithm of ["p384", "ed25519"] as const) {
      const other = await generateSigner(algorithm)
      const theirs = { ...options(), spki: other.spki }
      expect(await verifyStatusListJwt(await signStatusListJwt(claims, { signer: other }), theirs)).toEqual(claims)
      expect(await verifyStatusListCwt(await signStatusListCwt(claims, { signer: other }), theirs)).toEqual(claims)
    }
    const rsa = await generateSigner("rsa")
    await expect(signStatusListJwt(claims, { signer: rsa })).rejects.toMatchObject({ code: "COSE_ALGORITHM" })
  })

  it("is refused when it is another's, about another list, or of another time", async () => {
    const other = await generateP256Key()
    const faults = [
      [{ ...options(), spki: other.spki }, StatusListSignatureError],
      [{ ...options(), sub: `${SUB}0` }, StatusListSubjectError],
      [{ ...options(), now: new Date((IAT + 3600) * 1000) }, StatusListTimeError],
      [{ ...options(), now: new Date((IAT - 61) * 1000) }, StatusListTimeError],
      [{ ...options(), maxBytes: 200 }, StatusListTooLargeError],
    ] as const
    for (const [fault, error] of faults) {
      await expect(verifyStatusListJwt(jwt, fault)).rejects.toThrow(error)
      await expect(verifyStatusListCwt(cwt, fault)).rejects.toThrow(error)
    }
  })

  it("is refused when any part is changed", async () => {
    const cwt = await signStatusListCwt(claims, { signer }) // a key's name would not be covered by the signature
    for (let at = 0; at < cwt.length; at += 3) {
      const changed = cwt.slice()
      changed[at]! ^= 1
      const fault = await verifyStatusListCwt(changed, options()).catch((error: unknown) => error)
      expect(fault, `byte ${at}`).toBeInstanceOf(Error)
      expect(fault).toMatchObject({ code: expect.stringMatching(/^STATUS_LIST_(MALFORMED|SIGNATURE)$/) as string })
    }
    for (let at = 0; at < jwt.length; at += 5) {
      const changed = `${jwt.slice(0, at)}${jwt[at] === "A" ? "B" : "A"}${jwt.slice(at + 1)}`
      const fault = await verifyStatusListJwt(changed, options()).catch((error: unknown) => error)
      expect(fault, `character ${at}`).toMatchObject({
        code: expect.stringMatching(/^STATUS_LIST_(MALFORMED|SIGNATURE)$/) as string,
      })
    }
  })

  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url")
  const header = { alg: "ES256", typ: "statuslist+jwt" }
  const lst = deflateSync(new Uint8Array(4)).toString("base64url")
  const payload = { sub: SUB, iat: IAT, status_list: { bits: 1, lst } }
  const junk = Buffer.concat([deflateSync(new Uint8Array(4)), Buffer.from("junk")]).toString("base64url")

  it.each([
    ["nothing", ""],
    ["two parts", "a.b"],
    ["no algorithm", `${part({ ...header, alg: "none" })}.${part(payload)}.`],
    ["a symmetric algorithm", `${part({ ...header, alg: "HS256" })}.${part(payload)}.AAAA`],
    ["another type", `${part({ ...header, typ: "JWT" })}.${part(payload)}.AAAA`],
    ["critical headers", `${part({ ...header, crit: ["b64"] })}.${part(payload)}.AAAA`],
    ["padding", `${part(header)}=.${part(payload)}.AAAA`],
    ["an array as payload", `${part(header)}.${part([])}.AAAA`],
    ["no list", `${part(header)}.${part({ ...payload, status_list: undefined })}.AAAA`],
    ["a list of three bits", `${part(header)}.${part({ ...payload, status_list: { bits: 3, lst } })}.AAAA`],
    ["a list that is no zlib", `${part(header)}.${part({ ...payload, status_list: { bits: 1, lst: "AAAA" } })}.AAAA`],
    [
      "a list with something behind",
      `${part(header)}.${part({ ...payload, status_list: { bits: 1, lst: junk } })}.AAAA`,
    ],
    ["no time", `${part(header)}.${part({ ...payload, iat: undefined })}.AAAA`],
    ["a time beyond all calendars", `${part(header)}.${part({ ...payload, exp: 1e300 })}.AAAA`],
    ["a time to live of nothing", `${part(header)}.${part({ ...payload, ttl: 0 })}.AAAA`],
    ["a subject that is none", `${part(header)}.${part({ ...payload, sub: 7 })}.AAAA`],
    ["deep nesting", `${part(header)}.${Buffer.from("[".repeat(1000)).toString("base64url")}.AAAA`],
  ])("is no JWT of this kind: %s", async (_what, token) => {
    await expect(decodeStatusListJwt(token)).rejects.toThrow(StatusListMalformedError)
  })

  it("does not let a small list become a large one", async () => {
    const bomb = deflateSync(new Uint8Array(64 * 2 ** 20)).toString("base64url")
    const before = process.memoryUsage().arrayBuffers
    await expect(decodeStatusListJson({ bits: 1, lst: bomb }, { maxBytes: 100_000 })).rejects.toThrow(
      StatusListTooLargeError,
    )
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 2 ** 20)
  })
})
