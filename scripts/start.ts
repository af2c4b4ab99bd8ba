// `npm start`: the main job on a ledger inside this process. Exit code 0 only if every answer was the expected one.
import { formatTable, holds, PEERS } from "./start/table.ts"
import { Teller } from "./start/story.ts"
import { World } from "./start/world.ts"

const COUNT = 1_000
const BY_OPENSSL = 10

const started = performance.now()
const say = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

say("Fleetroot: a fleet of devices on a ledger, from registration to revocation.")
say("starting a ledger in this process and deploying the contracts …")
const world = await World.create()
try {
  const story = await new Teller(world, { count: COUNT, byOpenssl: BY_OPENSSL, say }).tell()
  const wrong = story.rows.filter((row) => !holds(row))
  const perDevice = Number(story.fleetGas) / story.count

  say(`\n${formatTable(story.rows)}\n`)
  say(`What a device costs on the ledger (registering ${story.count} of them, in gas each):`)
  say(`  ${"Fleetroot, one batch".padEnd(46)} ${perDevice.toFixed(0).padStart(9)}`)
  for (const { name, gasPerDevice } of PEERS) {
    say(`  ${name.padEnd(46)} ${gasPerDevice.toLocaleString("en-US").padStart(9)}   (cited)`)
  }
  say(
    wrong.length === 0
      ? `\nAll ${story.rows.length} answers were the expected ones, in ${((performance.now() - started) / 1000).toFixed(1)} s.`
      : `\n${wrong.length} of ${story.rows.length} answers were WRONG: ${wrong.map(({ step }) => step).join("; ")}`,
  )
  process.exitCode = wrong.length === 0 ? 0 : 1
} finally {
  await world.close()
}
