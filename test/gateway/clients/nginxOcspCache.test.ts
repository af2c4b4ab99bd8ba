import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { ocspRoutes } from "../../../gateway/ocsp/index.ts"
import { FakeFactory, MAKER, SERIES } from "../fakeFactory.ts"
import { serveRoutes } from "../serveRoutes.ts"
import { isOpen } from "./isOpen.ts"
import { KeyFiles } from "./keyFiles.ts"
import { freePort, run, Running, until } from "./programs.ts"

const HOUR = 3_600
const SHORT = 5
const INDEX = { server: 0, first: 1, second: 2, third: 3 } as const
type Device = Exclude<keyof typeof INDEX, "server">

let factory: FakeFactory
let files: KeyFiles
let nginx: Running
/** Of one gateway answers may be kept for an hour, of the other for seconds. */
let long: Awaited<ReturnType<typeof serveRoutes>>
let short: Awaited<ReturnType<typeof serveRoutes>>
const ports = { long: 0, short: 0 }

beforeAll(async () => {
  factory = await FakeFactory.make(10)
  files = new KeyFiles(factory)
  for (const [name, index] of Object.entries(INDEX)) await files.device(factory, name, index)
  const context = { replica: factory.source, issuers: [factory.issuer], maxAgeSeconds: HOUR }
  long = await serveRoutes(ocspRoutes({ ...context, lifetimeSeconds: HOUR }))
  short = await serveRoutes(ocspRoutes({ ...context, lifetimeSeconds: SHORT }))
  ports.long = await freePort()
  ports.short = await freePort()
  const at = (name: string): string => files.at(name)
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${at(kind)};`)
  const server = (kind: "long" | "short", { url }: { url: string }): string => `server {
    listen 127.0.0.1:${ports[kind]} ssl;
    ssl_certificate ${at("server.pem")}; ssl_certificate_key ${at("server.key")};
    ssl_client_certificate ${at("ca.pem")}; ssl_verify_client on; ssl_verify_depth 2;
    ssl_ocsp leaf; ssl_ocsp_responder ${url}/ocsp; ssl_ocsp_cache shared:${kind}:1m;
    location / { return 200 "hello $ssl_client_s_dn"; }
  }`
  const configuration = files.write(
    "nginx.conf",
    `daemon off; pid ${at("nginx.pid")}; error_log stderr info; worker_processes 1;
events { worker_connections 64; }
http {
  access_log off; ${temporary.join(" ")}
  ${server("long", long)}
  ${server("short", short)}
}
`,
  )
  nginx = new Running("nginx", ["-c", configuration, "-p", files.folder, "-e", "stderr"])
  await until(async () => (await isOpen(ports.long)) && isOpen(ports.short), Boolean)
})

afterAll(async () => {
  await nginx?.stop()
  await long?.close()
  await short?.close()
  files?.remove()
})

async function ask(kind: keyof typeof ports, name: Device): Promise<string> {
  const identity = ["--cert", files.at(`${name}.pem`), "--key", files.at(`${name}.key`)]
  const { all } = await run("curl", ["-sSk", "--max-time", "20", ...identity, `https://127.0.0.1:${ports[kind]}/`])
  if (all.includes(`hello CN=${name}`)) return "passed"
  return all.includes("The SSL certificate error") ? "refused" : `${all}\n${nginx.output}`
}

function revoke(name: Device): void {
  const index = INDEX[name]
  factory.fleet.mine().mark(MAKER, SERIES, index)
  factory.source.changed({ kind: "places", manufacturerId: MAKER, series: SERIES, first: index, last: index })
}

/** How many of nginx's workers have ended. */
function endedWorkers(): number {
  return nginx.output.split(/worker process \d+ exited with code 0/).length - 1
}

/** Until nobody is left of those who were there before: old workers answer on for a moment. */
async function reload(): Promise<void> {
  const before = endedWorkers()
  nginx.child.kill("SIGHUP")
  await until(
    async () => endedWorkers(),
    (ended) => ended > before,
  )
  expect(endedWorkers()).toBeGreaterThan(before)
}

describe("nginx with ssl_ocsp_cache", () => {
  it("keeps good until nextUpdate, whatever the responder says by then, and over a reload", async () => {
    expect(await ask("long", "first")).toBe("passed")
    const asked = long.requests.length
    expect(asked).toBeGreaterThan(0)

    revoke("first")
    expect(await ask("long", "first")).toBe("passed")
    await reload()
    expect(await ask("long", "first")).toBe("passed")
    // It did not even ask.
    expect(long.requests).toHaveLength(asked)
    // Whom it does not know yet, it asks about.
    revoke("second")
    expect(await ask("long", "second")).toBe("refused")
  })

  it("lets a revoked device in no longer than the answer lives: a short nextUpdate ends it", async () => {
    expect(await ask("short", "third")).toBe("passed")
    revoke("third")
    const ends = Math.floor(Date.now() / 1000) + SHORT
    await reload()
    let lastPassed = 0
    const answer = await until(
      async () => {
        const start = Date.now() / 1000
        const answer = await ask("short", "third")
        if (answer === "passed") lastPassed = start
        return answer
      },
      (answer) => answer !== "passed",
      60_000,
    )
    expect(answer).toBe("refused")
    // The last good answer was made before the revocation, whenever nginx asked.
    expect(lastPassed).toBeLessThanOrEqual(ends + 1)
    // And it stays out, also after one more reload.
    await reload()
    expect(await ask("short", "third")).toBe("refused")
  })
})
