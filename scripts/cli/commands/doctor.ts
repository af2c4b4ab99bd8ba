import type { Command } from "commander"
import type { Block, GovernanceRole, RoleHolder } from "../../../client/index.ts"
import { EXIT } from "../cliError.ts"
import { openLedger } from "../openLedger.ts"
import type { OpenLedger } from "../openLedger.ts"
import { newCommand } from "../options/common.ts"
import type { CommonOptions } from "../options/common.ts"
import { uint32 } from "../options/parse.ts"
import { printable } from "../output/printable.ts"
import { runCommand } from "../runCommand.ts"
import type { Answer } from "../runCommand.ts"

type Options = CommonOptions & { maxAge: number }

/** What was looked at: `warning` works today and is to be mended. */
type Finding = { check: string; state: "ok" | "warning" | "failed"; detail: string }

/** `fleetroot doctor`: is everything there that answers rest on? */
export function doctorCommand(): Command {
  return newCommand("doctor", "look at the node, the contracts and who governs them", "fleetroot doctor")
    .option("--max-age <seconds>", "oldest newest block that is not stale", uint32("--max-age"), 120)
    .action((options: Options) => runCommand(options.json, () => examine(options)))
}

async function examine(options: Options): Promise<Answer> {
  const open = await openLedger(options)
  // Chain id, the deployment's block and the code at every address are compared before there is any answer.
  const { head, settled } = await open.ledger.heads("finalized")
  const findings: Finding[] = [
    { check: "contracts", state: "ok", detail: `chain ${open.deployment.chainId}, code as the deployment file says` },
    headFinding(head.block, options.maxAge, Date.now() / 1000),
    finalFinding(head.block, settled.block),
    await precompileFinding(open),
    ...(await roleFindings(open, head.block)),
  ]
  return {
    json: findings,
    text: () => findings.map(({ check, state, detail }) => `${MARKS[state]} ${check}: ${printable(detail)}`).join("\n"),
    exitCode: findings.some(({ state }) => state === "failed") ? EXIT.notGood : EXIT.good,
  }
}

const MARKS = { ok: "✓", warning: "!", failed: "✗" } as const

function headFinding({ number, timestamp }: Block, maxAgeSeconds: number, now: number): Finding {
  const age = Math.round(now - timestamp)
  const state = age > maxAgeSeconds || age < -maxAgeSeconds ? "failed" : "ok"
  return { check: "head", state, detail: `block ${number} is ${age} s old, at most ${maxAgeSeconds} s are allowed` }
}

/** Two epochs of Ethereum take 13 minutes; a chain that is an hour behind has stopped finalizing. */
const SLOW_FINALITY_SECONDS = 3_600

function finalFinding(head: Block, settled: Block): Finding {
  const lag = head.timestamp - settled.timestamp
  const state = lag > SLOW_FINALITY_SECONDS ? "warning" : "ok"
  return { check: "finality", state, detail: `final up to block ${settled.number}, ${lag} s before the head` }
}

async function precompileFinding({ rpc }: OpenLedger): Promise<Finding> {
  const check = "p256"
  const [{ probePrecompile }, { PrecompileFlawedError }] = await Promise.all([
    import("../../deploy/probePrecompile.ts"),
    import("../../deploy/deployErrors.ts"),
  ])
  try {
    const found = await probePrecompile(rpc)
    if (found === "sound") return { check, state: "ok", detail: "the chain checks P-256 signatures itself, rightly" }
    const detail = "the chain has no precompile: a P-256 signature costs about 240,000 gas more"
    return { check, state: "warning", detail }
  } catch (error) {
    if (error instanceof PrecompileFlawedError) return { check, state: "failed", detail: error.message }
    throw error
  }
}

async function roleFindings({ client, deployment, rpc }: OpenLedger, block: Block): Promise<Finding[]> {
  const holders = await client.readRoleHolders({ deployment, rpc }, block)
  return (Object.entries(holders) as [GovernanceRole, readonly RoleHolder[]][]).map(([role, accounts]) => {
    const check = `role ${role}`
    if (accounts.length > 0) {
      const list = accounts.map(({ account, delaySeconds }) => `${account} (waits ${delaySeconds} s)`)
      return { check, state: "ok", detail: list.join(", ") }
    }
    const forEver = role === "admin" ? "; nobody can ever grant a role again" : ""
    return { check, state: "warning", detail: `nobody holds it: ${WITHOUT[role]}${forEver}` }
  })
}

/** What no longer happens when nobody holds a role. */
const WITHOUT: Readonly<Record<GovernanceRole, string>> = {
  admin: "roles stay as they are",
  admission: "no manufacturer is admitted",
  consortium: "nobody resumes a manufacturer, confirms a suspension, replaces a lost controller or names a successor",
  guardian: "nobody suspends a manufacturer at once",
}
