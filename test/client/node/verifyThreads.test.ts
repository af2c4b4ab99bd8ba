import { spawnSync } from "node:child_process"
import { afterEach, describe, expect, it } from "vitest"
import {
  AlgorithmKeyMismatchError,
  fromHex,
  generateP256Key,
  nativeCrypto,
  NumberOutOfRangeError,
  PublicKeyInvalidError,
  VerifyThreadLostError,
  VerifyThreadsClosedError,
} from "../../../client/index.ts"
import type { CryptoBackend, VerifyParameters } from "../../../client/index.ts"
import { ecdsaRawToDer } from "../../../client/crypto/ecdsa.ts"
import { verifyThreads } from "../../../client/node/index.ts"
import type { VerifyThreads, VerifyThreadsOptions } from "../../../client/node/index.ts"
import { generateSigner } from "../../helpers/signers.ts"

const opened: VerifyThreads[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((threads) => threads.close()))
})

function open(options?: VerifyThreadsOptions): VerifyThreads {
  const threads = verifyThreads(options)
  opened.push(threads)
  return threads
}

/** A file for a thread, written here. */
function thread(source: string): URL {
  const start = `import { parentPort } from "node:worker_threads"\n`
  return new URL(`data:text/javascript,${encodeURIComponent(start + source)}`)
}

/** Signatures of two keys over many messages, every third of them wrong in some way. */
async function questions(count: number): Promise<VerifyParameters[]> {
  const p256 = await generateP256Key()
  const ed25519 = await generateSigner("ed25519")
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const signer = i % 5 === 0 ? ed25519 : p256
      const message = crypto.getRandomValues(new Uint8Array(i % 300))
      const raw = await signer.sign(message)
      const signature = signer === p256 ? ecdsaRawToDer(raw) : raw
      if (i % 3 === 0) signature[signature.length - 1 - (i % 20)] = i & 0xff
      const algorithm = signer === p256 ? "ecdsa-p256-sha256" : "ed25519"
      return { algorithm, spki: signer.spki, message, signature }
    }),
  )
}

function askAll(crypto: CryptoBackend, asked: readonly VerifyParameters[]): Promise<PromiseSettledResult<boolean>[]> {
  return Promise.allSettled(asked.map((question) => crypto.verify(question)))
}

describe("verifyThreads", () => {
  it("gives each question the verdict of the native back end", async () => {
    const asked = await questions(500)
    const native = nativeCrypto as CryptoBackend
    const threads = open({ threads: 3 })

    const verdicts = await askAll(threads, asked)

    expect(verdicts).toEqual(await askAll(native, asked))
    const good = verdicts.filter((verdict) => verdict.status === "fulfilled" && verdict.value)
    expect(good.length).toBeGreaterThan(300)
    expect(good.length).toBeLessThan(500)
  })

  it("throws what the native back end throws, for those questions alone", async () => {
    const [first, second] = (await questions(2)).toReversed() as [VerifyParameters, VerifyParameters]
    const threads = open({ threads: 1 })
    const verdicts = await askAll(threads, [
      first,
      { ...first, spki: fromHex("0x3000") },
      { ...first, spki: second.spki },
      first,
    ])
    expect(
      verdicts.map((verdict): unknown => (verdict.status === "fulfilled" ? verdict.value : verdict.reason)),
    ).toEqual([true, expect.any(PublicKeyInvalidError), expect.any(AlgorithmKeyMismatchError), true])
  })

  it.each([
    ["ends", `parentPort.on("message", () => process.exit(3))`],
    ["fails", `parentPort.on("message", () => { throw new Error("out of luck") })`],
    ["never starts", `throw new Error("out of luck"); parentPort`],
    ["cannot be read", `}`],
    [
      "answers too little",
      `parentPort.on("message", ({ id }) => parentPort.postMessage({ id, answers: new Uint8Array(0) }))`,
    ],
    [
      "answers another question",
      `parentPort.on("message", () => parentPort.postMessage({ id: 99, answers: Uint8Array.of(1) }))`,
    ],
    ["answers with text", `parentPort.on("message", ({ id }) => parentPort.postMessage({ id, answers: "1" }))`],
  ])("has an error, never an answer, when a thread %s", async (_what, source) => {
    const [question] = await questions(2)
    const threads = open({ threads: 2, file: thread(source) })
    for (let again = 0; again < 2; again++) {
      await expect(threads.verify(question as VerifyParameters)).rejects.toBeInstanceOf(VerifyThreadLostError)
    }
  })

  it("is not good when a thread answers what is no answer", async () => {
    const asked = (await questions(2)).slice(1)
    const odd = `parentPort.on("message", ({ id }) => parentPort.postMessage({ id, answers: Uint8Array.of(77) }))`
    // It is asked again on this thread: a wrong signature stays wrong.
    const wrong = asked.map((question) => ({ ...question, message: Uint8Array.of(1, 2, 3) }))
    const threads = open({ threads: 1, file: thread(odd) })
    expect(await askAll(threads, wrong)).toEqual([{ status: "fulfilled", value: false }])
  })

  it("fails what is open when it is closed, and all that is asked later", async () => {
    const asked = await questions(100)
    const threads = open({ threads: 2 })
    const verdicts = askAll(threads, asked)
    await Promise.resolve()
    await threads.close()
    for (const verdict of await verdicts) {
      expect(verdict.status === "rejected" && verdict.reason).toBeInstanceOf(VerifyThreadsClosedError)
    }
    await expect(threads.verify(asked[0] as VerifyParameters)).rejects.toBeInstanceOf(VerifyThreadsClosedError)
    await threads.close()
  })

  it("refuses a number of threads that is none", () => {
    for (const threads of [0, -1, 1.5, Number.NaN, 257]) {
      expect(() => verifyThreads({ threads })).toThrow(NumberOutOfRangeError)
    }
  })

  it("holds no process alive that forgot to close it", () => {
    const library = new URL("../../../client/node/index.ts", import.meta.url).href
    const source = `
      const { verifyThreads } = await import(${JSON.stringify(library)})
      const { generateKeyPairSync, sign } = await import("node:crypto")
      const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
      const spki = new Uint8Array(publicKey.export({ format: "der", type: "spki" }))
      const message = Uint8Array.of(1, 2, 3)
      const signature = new Uint8Array(sign("sha256", message, privateKey))
      console.log(await verifyThreads({ threads: 2 }).verify({ algorithm: "ecdsa-p256-sha256", spki, message, signature }))
    `
    const { stdout, status } = spawnSync(process.execPath, ["--input-type=module", "-e", source], {
      encoding: "utf8",
      timeout: 60_000,
    })
    expect({ stdout, status }).toEqual({ stdout: "true\n", status: 0 })
  })
})
