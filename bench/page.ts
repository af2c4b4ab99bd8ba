import type { Plot, Row } from "./row.ts"
import { escape } from "./escape.ts"
import { drawPlot } from "./drawPlot.ts"

type Result = {
  readonly rows: readonly Row[]
  readonly machine: Readonly<Record<string, string | number>>
  readonly versions: Readonly<Record<string, string>>
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --line: #c9d1d9; --good: #1a7f37; --bad: #b35900 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --line: #3d444d; --good: #3fb950; --bad: #e3b341 } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto; max-width: 72rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top }
td.number { text-align: right; font-variant-numeric: tabular-nums } .good { color: var(--good) } .bad { color: var(--bad) }
figure { margin: 2rem 0 } figcaption { font-weight: 600 } svg { width: 100%; height: auto } .note, footer { opacity: .75; font-size: 13px }
`

/** All results as one page that needs nothing else. */
export function page(
  { rows, machine, versions }: Result,
  plots: readonly Plot[],
  { quick }: { quick: boolean },
): string {
  const missed = rows.filter(({ holds }) => holds === false).length
  const promised = rows.filter(({ holds }) => holds !== null).length
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Fleetroot: measurements</title><style>${STYLE}</style>
<h1>Fleetroot: measurements</h1>
<p>${promised - missed} of ${promised} targets hold in this run.${quick ? " A quick run: small sizes, few rounds; a look, not a measurement." : ""}
Every number comes from <code>npm run bench${quick ? " -- --quick" : ""}</code>, the peers' too, in the same run.</p>
${plots.map((plot) => `<figure><figcaption>${escape(plot.title)}</figcaption>${drawPlot(plot)}${plot.note === undefined ? "" : `<p class="note">${escape(plot.note)}</p>`}</figure>`).join("\n")}
<table><thead><tr><th>What</th><th>Value</th><th>Target</th><th>Peers</th></tr></thead><tbody>
${rows.map(tableRow).join("\n")}
</tbody></table>
<footer><p>${describe(machine)}</p><p>${describe(versions)}</p></footer>
</html>
`
}

function tableRow({ name, value, unit, target, holds, peers }: Row): string {
  const verdict = holds === null ? "" : `<span class="${holds ? "good" : "bad"}">${holds ? "holds" : "missed"}</span>`
  const others = peers.map((peer) => `${escape(peer.name)}: ${show(peer.value)}`).join("<br>")
  return `<tr><td>${escape(name)}</td><td class="number">${show(value)} ${escape(unit)}</td><td>${target === null ? "" : `${show(target)} ${verdict}`}</td><td>${others}</td></tr>`
}

function describe(facts: Readonly<Record<string, string | number>>): string {
  return Object.entries(facts)
    .map(([name, value]) => `${escape(name)} ${escape(String(value))}`)
    .join(" · ")
}

function show(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 3 })
}
