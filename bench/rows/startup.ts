import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { encodeReceipt, formatDeployment, generateP256Key } from "../../client/index.ts"
import { anvilLedger } from "../../test/helpers/anvil.ts"
import { makeDevice, makeTree, nowSeconds } from "../../test/helpers/fleet.ts"
import { median, row } from "../row.ts"
import type { GroupOptions, Measured } from "../row.ts"

const ROOT = fileURLToPath(new URL("../..", import.meta.url))

/** How long the first status takes from the start of a process, over local HTTP: a program of six lines, and the command. */
export async function startup({ quick }: GroupOptions): Promise<Measured> {
  const rounds = quick ? 2 : 21
  const { stdout } = spawnSync(process.execPath, [join(ROOT, "scripts/build.ts")], { encoding: "utf8" })
  if (!existsSync(join(ROOT, "dist/scripts/cli/main.js"))) throw new Error(`the package was not built: ${stdout}`)
  const net = await anvilLedger()
  const folder = await mkdtemp(join(tmpdir(), "fleetroot-bench-"))
  try {
    const maker = await net.admit("Acme Works")
    const issuer = await generateP256Key()
    await maker.addKey({ purpose: "issuer", signer: issuer })
    const devices = await Promise.all(Array.from({ length: 32 }, () => makeDevice({ issuer })))
    const hashes = devices.map(({ certificate }) => certificate.credentialHash)
    const tree = makeTree(net.deployment, maker.manufacturerId, 1, hashes)
    await maker.registerBatch({
      root: tree.root,
      size: tree.size,
      notAfter: nowSeconds() + 1e9,
      issuerKeyId: issuer.keyId,
      series: 1,
    })
    await net.pass(1)
    const paths = {
      certificate: join(folder, "device.der"),
      receipt: join(folder, "device.receipt"),
      deployment: join(folder, "net.json"),
      program: join(folder, "first.mjs"),
      wholeProgram: join(folder, "firstWhole.mjs"),
    }
    await writeFile(paths.certificate, (devices[0] as (typeof devices)[0]).der)
    await writeFile(paths.receipt, encodeReceipt(tree.receipt(0)))
    await writeFile(paths.deployment, formatDeployment({ ...net.deployment, rpc: net.url }))
    await writeFile(paths.program, program("verify.js", paths, net.url))
    await writeFile(paths.wholeProgram, program("index.js", paths, net.url))

    const status = ["status", paths.certificate, "--receipt", paths.receipt, "--deployment", paths.deployment]
    const runs: Record<string, string[]> = {
      nothing: ["-e", "0"],
      client: [paths.program],
      whole: [paths.wholeProgram],
      command: [join(ROOT, "dist/scripts/cli/main.js"), ...status],
      checkout: [join(ROOT, "scripts/cli/main.ts"), ...status],
    }
    const walls: Record<string, number[]> = {}
    const cpu: Record<string, number[]> = {}
    // In turn, so that whatever else the machine does hits all alike. The first round fills the caches of files and compiled code.
    for (let round = 0; round <= rounds; round++) {
      await net.pass(1)
      for (const [name, args] of Object.entries(runs)) {
        const found = time(args, folder)
        if (round === 0) continue
        ;(walls[name] ??= []).push(found.wall)
        ;(cpu[name] ??= []).push(found.cpu)
      }
    }
    const wall = (name: string): number => median(walls[name] ?? [])
    const used = (name: string): number => median(cpu[name] ?? [])
    const empty = { name: "node -e 0", value: wall("nothing") }
    const emptyCpu = { name: "node -e 0", value: used("nothing") }
    return [
      row("first status from process start, bare client, p50", wall("client"), "ms", {
        atMost: 150,
        peers: [empty, { name: "with all of fleetroot instead of fleetroot/verify", value: wall("whole") }],
      }),
      row("first status from process start, `fleetroot status`, p50", wall("command"), "ms", {
        atMost: 300,
        peers: [empty],
      }),
      row("first status from process start, `fleetroot status` in a checkout, p50", wall("checkout"), "ms", {
        peers: [empty],
      }),
      row("first status from process start, bare client, processor time", used("client"), "ms", { peers: [emptyCpu] }),
      row("first status from process start, `fleetroot status`, processor time", used("command"), "ms", {
        peers: [emptyCpu],
      }),
    ]
  } finally {
    await net.close()
    await rm(folder, { recursive: true, force: true })
  }
}

function program(
  file: string,
  paths: { certificate: string; receipt: string; deployment: string },
  url: string,
): string {
  const door = join(ROOT, "dist/client", file)
  return `
import { readFileSync } from "node:fs"
import { httpRpc, parseDeployment, RpcLedger, Verifier } from ${JSON.stringify(door)}
const deployment = parseDeployment(readFileSync(${JSON.stringify(paths.deployment)}, "utf8"))
const verifier = new Verifier({ ledger: new RpcLedger({ deployment, rpc: httpRpc(${JSON.stringify(url)}) }), maxAgeSeconds: 1e9 })
const [certificate, receipt] = [${JSON.stringify(paths.certificate)}, ${JSON.stringify(paths.receipt)}].map((path) => new Uint8Array(readFileSync(path)))
const { status } = await verifier.checkCertificate(certificate, { receipt })
process.exitCode = status === "good" ? 0 : 1
`
}

/** One run in milliseconds, of the clock and of the processor. The run tells its own processor time when it ends. */
function time(args: readonly string[], home: string): { wall: number; cpu: number } {
  const tell = `process.on("exit", () => { const { user, system } = process.cpuUsage(); process.stderr.write("cpu " + (user + system) + "\\n") })`
  const flags = ["--import", `data:text/javascript,${encodeURIComponent(tell)}`]
  const started = performance.now()
  const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, ...args], {
    encoding: "utf8",
    env: { ...process.env, XDG_CACHE_HOME: home, XDG_STATE_HOME: home },
  })
  const wall = performance.now() - started
  const told = /^cpu (\d+)$/m.exec(stderr)?.[1]
  if (status !== 0 || told === undefined) throw new Error(`${args.join(" ")} ended with ${status}: ${stdout}${stderr}`)
  return { wall, cpu: Number(told) / 1000 }
}
