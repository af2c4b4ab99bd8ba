import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { toHex } from "../../../client/index.ts"
import { ocspRoutes } from "../../../gateway/ocsp/index.ts"
import { LiveFactory } from "../liveFactory.ts"
import { serveRoutes } from "../serveRoutes.ts"
import { isOpen } from "./isOpen.ts"
import { KeyFiles } from "./keyFiles.ts"
import { freePort, run, Running, until } from "./programs.ts"

let factory: LiveFactory
let files: KeyFiles
let gateway: Awaited<ReturnType<typeof serveRoutes>>
let nginx: Running
let port: number

beforeAll(async () => {
  factory = await LiveFactory.make(["server", "first", "second", "third"])
  files = new KeyFiles(factory)
  for (const { name, certificate, key } of factory.devices) await files.pair(name, certificate, key)
  // The ledger of this test makes blocks only for its transactions.
  const context = { replica: factory.replica, issuers: [factory.issuer], maxAgeSeconds: 3_600 }
  gateway = await serveRoutes(ocspRoutes(context))
  port = await freePort()
  const at = (name: string): string => files.at(name)
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${at(kind)};`)
  const configuration = files.write(
    "nginx.conf",
    `daemon off; pid ${at("nginx.pid")}; error_log stderr info; worker_processes 1;
events { worker_connections 64; }
http {
  access_log off; ${temporary.join(" ")}
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${at("server.pem")}; ssl_certificate_key ${at("server.key")};
    ssl_client_certificate ${at("ca.pem")}; ssl_verify_client on; ssl_verify_depth 2;
    ssl_ocsp on; ssl_ocsp_responder ${gateway.url}/ocsp;
    ssl_stapling on; ssl_stapling_responder ${gateway.url}/ocsp/; ssl_trusted_certificate ${at("ca.pem")};
    location / { return 200 "hello $ssl_client_s_dn"; }
  }
}
`,
  )
  nginx = new Running("nginx", ["-c", configuration, "-p", files.folder, "-e", "stderr"])
  await until(async () => isOpen(port), Boolean)
})

afterAll(async () => {
  await nginx?.stop()
  await gateway?.close()
  await factory?.close()
  files?.remove()
})

/** What a device is answered. */
async function ask(name: string): Promise<string> {
  const identity = ["--cert", files.at(`${name}.pem`), "--key", files.at(`${name}.key`)]
  const { all } = await run("curl", ["-sSk", "--max-time", "20", ...identity, `https://127.0.0.1:${port}/`])
  if (all.includes(`hello CN=${name}`)) return "passed"
  return all.includes("The SSL certificate error") ? "refused" : `${all}\n${nginx.output}`
}

describe("nginx with ssl_ocsp", () => {
  it("lets a good device in", async () => {
    expect(await ask("first")).toBe("passed")
    expect(await ask("second")).toBe("passed")
  })

  it("refuses a device within two seconds of its revocation", async () => {
    expect(await ask("first")).toBe("passed")
    await factory.maker.revokePlaces(factory.series, [1], 1)
    const revokedAt = Date.now()
    let lastPassed = 0
    const answer = await until(
      async () => {
        const start = Date.now()
        const answer = await ask("first")
        if (answer === "passed") lastPassed = start
        return answer
      },
      (answer) => answer === "refused",
    )
    expect(answer).toBe("refused")
    // Two seconds on an idle machine; the tests' may be several times slower.
    expect(lastPassed - revokedAt).toBeLessThan(10_000)
    expect(await ask("second")).toBe("passed")
  })

  it("refuses a device that is on hold, and lets it in when the hold ends", async () => {
    const subject = { subject: factory.devices[2]!.certificate.credentialHash, series: factory.series, index: 2 }
    await factory.maker.hold([subject])
    expect(
      await until(
        () => ask("second"),
        (answer) => answer === "refused",
      ),
    ).toBe("refused")
    await factory.maker.unhold([subject])
    expect(
      await until(
        () => ask("second"),
        (answer) => answer === "passed",
      ),
    ).toBe("passed")
  })

  it("lets nobody in while the responder is silent", async () => {
    const { url } = gateway
    await gateway.close()
    expect(await ask("third")).toBe("refused")
    gateway = await serveRoutes(
      ocspRoutes({ replica: factory.replica, issuers: [factory.issuer], maxAgeSeconds: 3_600 }),
      Number(new URL(url).port),
    )
    expect(
      await until(
        () => ask("third"),
        (answer) => answer === "passed",
      ),
    ).toBe("passed")
  })
})

describe("nginx with ssl_stapling", () => {
  const status = async (): Promise<string> => {
    const identity = ["-cert", files.at("third.pem"), "-key", files.at("third.key"), "-CAfile", files.at("ca.pem")]
    return (await run("openssl", ["s_client", "-connect", `127.0.0.1:${port}`, "-status", ...identity])).all
  }

  it("staples the ledger's word on the server's own certificate", async () => {
    // The first connections go without: nginx asks when it is asked.
    const stapled = await until(status, (all) => all.includes("OCSP Response Status: successful"))
    expect(stapled).toContain("Cert Status: good")
    const serial = factory.devices[0]!.certificate.serial
    expect(stapled).toContain(`Serial Number: ${toHex(serial).slice(2).toUpperCase()}`)
  })
})
