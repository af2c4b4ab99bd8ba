import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { StaleHeadError } from "../../../client/index.ts"
import { encodeCertId, encodeOcspRequest } from "../../../gateway/ocsp/codec.ts"
import { StaticAnswers } from "../../../gateway/ocsp/index.ts"
import { issuerHashes } from "../../../gateway/ocsp/responderBook.ts"
import { staticPath } from "../../../gateway/ocsp/staticAnswers.ts"
import { FakeFactory, MAKER, SERIES } from "../fakeFactory.ts"
import { isOpen } from "./isOpen.ts"
import { KeyFiles } from "./keyFiles.ts"
import { freePort, run, Running, until } from "./programs.ts"

const SIZE = 300
let factory: FakeFactory
let files: KeyFiles
let nginx: Running
let answers: StaticAnswers
let clock: number
let url: string

beforeAll(async () => {
  factory = await FakeFactory.make(SIZE)
  clock = factory.now
  files = new KeyFiles(factory)
  for (let index = 0; index < 3; index++) await files.device(factory, `device-${index}`, index)
  const context = { replica: factory.source, issuers: [factory.issuer], now: () => new Date(clock * 1000) }
  answers = new StaticAnswers({ ...context, folder: files.at("www"), hashes: ["sha1", "sha256"] })
  await answers.refresh()
  const port = await freePort()
  url = `http://127.0.0.1:${port}/ocsp`
  const at = (name: string): string => files.at(name)
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${at(kind)};`)
  const configuration = files.write(
    "nginx.conf",
    `daemon off; pid ${at("nginx.pid")}; error_log stderr; worker_processes 1; user root;
events { worker_connections 64; }
http {
  access_log off; ${temporary.join(" ")}
  server {
    listen 127.0.0.1:${port};
    location /ocsp/ { root ${at("www")}; default_type application/ocsp-response; index index.der; types { } }
  }
}
`,
  )
  nginx = new Running("nginx", ["-c", configuration, "-p", files.folder, "-e", "stderr"])
  await until(async () => isOpen(port), Boolean)
})

afterAll(async () => {
  await nginx?.stop()
  files?.remove()
})

function requestFor(index: number, hash: "sha1" | "sha256" = "sha1"): Uint8Array {
  const serial = factory.serial(index)
  return encodeOcspRequest([encodeCertId({ hash, ...issuerHashes(factory.issuer, hash), serial })])
}

/** What openssl reads in the answer that nginx has. */
async function ask(index: number, hash: "sha1" | "sha256" = "sha1"): Promise<string> {
  const response = files.at("response.der")
  const base64 = Buffer.from(requestFor(index, hash)).toString("base64")
  const fetched = await run("curl", ["-sS", "--fail", "-o", response, `${url}/${encodeURIComponent(base64)}`])
  if (fetched.code !== 0) return fetched.all
  const trusted = ["-issuer", files.at("ca.pem"), "-CAfile", files.at("ca.pem"), `-${hash}`]
  const read = ["-respin", response, ...trusted, "-cert", files.at(`device-${index}.pem`)]
  const { all } = await run("openssl", ["ocsp", ...read])
  return all.includes("Response verify OK") ? (/\.pem: (\w+)/.exec(all)?.[1] ?? all) : all
}

function answerFiles(): string[] {
  return readdirSync(files.at("www"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

describe("OCSP answers as files behind nginx", () => {
  it("are found by their address, whichever hash the client uses", async () => {
    expect(await ask(0)).toBe("good")
    expect(await ask(1, "sha256")).toBe("good")
    expect(answerFiles()).toHaveLength(2 * SIZE)
    const slashes: number[] = []
    for (let index = 0; index < SIZE; index++) {
      if (staticPath(requestFor(index)).endsWith("/index.der")) slashes.push(index)
      expect(() => readFileSync(join(files.at("www"), "ocsp", staticPath(requestFor(index))))).not.toThrow()
    }
    // One in 64 ends in a slash, so nearly always some do.
    expect(staticPath(Uint8Array.of(0, 0, 0x3f))).toBe("AAA/index.der")
    expect(staticPath(Uint8Array.of(3, 255, 255, 0))).toBe("A/AA==")
    for (const index of slashes.slice(0, 2)) {
      await files.device(factory, `device-${index}`, index)
      expect(await ask(index)).toBe("good")
    }
  })

  it("are written anew only where the ledger says something else", async () => {
    expect(await answers.refresh()).toEqual({ written: 0, left: SIZE })
    factory.fleet.mine().mark(MAKER, SERIES, 1)
    factory.fleet.mark(MAKER, SERIES, 2, { mark: "held", reason: 6, subject: "0x1" })
    expect(await answers.refresh()).toEqual({ written: 2, left: SIZE - 2 })
    expect([await ask(0), await ask(1), await ask(2)]).toEqual(["good", "revoked", "revoked"])
    factory.fleet.mine().unmark(MAKER, SERIES, 2)
    expect(await answers.refresh()).toEqual({ written: 1, left: SIZE - 1 })
    expect(await ask(2)).toBe("good")
  })

  it("are renewed at half their life, and stay as they are while the ledger is silent", async () => {
    clock += 1_801
    await expect(answers.refresh()).rejects.toThrow(StaleHeadError)
    factory.fleet.mine(1_801)
    expect((await answers.refresh()).written).toBe(SIZE)
  })
})
