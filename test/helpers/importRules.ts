import { builtinModules } from "node:module"
import { posix } from "node:path"
import { readImports } from "./readImports.ts"

/** A project in memory: the text of each file by its path from the root, with forward slashes. */
export type Files = ReadonlyMap<string, string>

type Arrow = { from: string; line: number; specifier: string; to: string | undefined; typeOnly: boolean }

const CORE = ["errors", "crypto", "x509", "cose", "merkle"]
const LEDGER = [...CORE, "abi", "ledger"]
const FEATURES = ["status", "snapshot", "batch", "manufacturer", "device", "governance", "firmware", "records"]
const CLIENT = [...LEDGER, ...FEATURES, "index"]

/** Which folders of client/ each folder of client/ may import, besides itself; "index" is the files in client/ itself. */
const CLIENT_LAYERS: Record<string, readonly string[]> = {
  errors: [],
  abi: [],
  crypto: ["errors"],
  x509: ["errors", "crypto"],
  cose: ["errors", "crypto"],
  // A receipt is a proof in CBOR.
  merkle: ["errors", "crypto", "cose"],
  ledger: [...CORE, "abi"],
  status: LEDGER,
  snapshot: LEDGER,
  batch: LEDGER,
  manufacturer: LEDGER,
  device: LEDGER,
  governance: LEDGER,
  firmware: LEDGER,
  records: LEDGER,
  index: [...LEDGER, ...FEATURES],
  ethers: CLIENT,
  node: CLIENT,
}

/** The only files of client/ that code elsewhere may import; tests may import all. */
const DOORS = ["client/index.ts", "client/verify.ts", "client/node/index.ts", "client/ethers/index.ts"]

/** Which other top folders each top folder may import. */
const TOP_FOLDERS: Record<string, readonly string[]> = {
  client: [],
  gateway: ["client"],
  explorer: ["client"],
  scripts: ["client", "gateway"],
  bench: ["client", "gateway", "scripts", "test"],
  test: ["client", "gateway", "explorer", "scripts", "bench"],
}

/** Where in client/ a package may be imported: replacing it is then one folder's work. Others are free from `ledger` up. */
const PACKAGE_HOMES: readonly [prefix: string, folders: readonly string[]][] = [
  ["@noble/curves", ["crypto"]],
  // Bytes in, bytes out: key identifiers need SHA-1, a tree of a million hashes and a replayed log no detour through hex.
  ["@noble/hashes", ["crypto", "x509", "merkle", "ledger"]],
  ["@peculiar/", ["x509"]],
  ["cbor2", ["cose"]],
  ["ox", ["ledger"]],
  ["@ethereumjs/", ["ledger"]],
  ["ethers", ["ethers"]],
]

/** Where in client/, besides client/node/, types of Node's own modules may be named, for what process.getBuiltinModule gives. */
const NODE_TYPES = ["crypto", "ledger"]

/** One sentence for each import that points the wrong way. */
export function findWrongArrows(files: Files): string[] {
  return listArrows(files).flatMap((arrow) => {
    const rule = brokenRule(arrow, files)
    return rule === undefined ? [] : [`${arrow.from}:${arrow.line} imports ${arrow.specifier}: ${rule}`]
  })
}

/** Each import cycle once, as the list of its files. */
export function findCycles(files: Files): string[][] {
  const next = new Map<string, string[]>([...files.keys()].map((path) => [path, []]))
  for (const { from, to } of listArrows(files)) {
    if (to !== undefined) next.get(from)?.push(to)
  }

  const cycles: string[][] = []
  const done = new Set<string>()
  const path: string[] = []
  const visit = (file: string): void => {
    const start = path.indexOf(file)
    if (start !== -1) cycles.push([...path.slice(start), file])
    if (start !== -1 || done.has(file)) return
    path.push(file)
    for (const other of next.get(file) ?? []) visit(other)
    path.pop()
    done.add(file)
  }
  for (const file of files.keys()) visit(file)
  return cycles
}

function listArrows(files: Files): Arrow[] {
  return [...files].flatMap(([from, source]) =>
    readImports(source).map(({ specifier, line, typeOnly }) => ({
      from,
      line,
      typeOnly,
      specifier: specifier ?? "a computed name",
      to: specifier?.startsWith(".") === true ? posix.join(posix.dirname(from), specifier) : undefined,
    })),
  )
}

function brokenRule(arrow: Arrow, files: Files): string | undefined {
  const { from, to } = arrow
  const top = from.includes("/") ? (from.split("/")[0] ?? "") : ""
  // Configuration files in the root name packages only.
  if (top === "") return to === undefined ? undefined : "the root imports nothing of the project"

  const mayImport = TOP_FOLDERS[top]
  if (mayImport === undefined) return `no rule knows the folder ${top}/`

  if (to === undefined) return top === "client" ? brokenPackageRule(arrow) : undefined
  if (!files.has(to) && !/\.(json|mjs)$/.test(to)) return "there is no such file"

  const target = to.split("/")[0] ?? ""
  if (target !== top) {
    if (!mayImport.includes(target)) return `${top}/ may not import ${target}/`
    if (target === "client" && top !== "test" && !DOORS.includes(to)) return `the doors are ${DOORS.join(", ")}`
    if (top === "explorer" && to !== "client/index.ts") return "pages use client/index.ts only"
    return undefined
  }
  return top === "client" ? brokenLayerRule(from, to) : undefined
}

function brokenLayerRule(from: string, to: string): string | undefined {
  const [layer, target] = [layerOf(from), layerOf(to)]
  const mayImport = CLIENT_LAYERS[layer]
  if (mayImport === undefined) return `no rule knows the folder client/${layer}/`
  return layer === target || mayImport.includes(target) ? undefined : `${layer} may not import ${target}`
}

function brokenPackageRule({ from, specifier, typeOnly }: Arrow): string | undefined {
  const layer = layerOf(from)
  if (specifier === "a computed name") return "every import names its file"
  if (specifier.startsWith("node:") || builtinModules.includes(specifier)) {
    const allowed = layer === "node" || (typeOnly && NODE_TYPES.includes(layer))
    return allowed ? undefined : "only client/node/ needs Node"
  }
  const home = PACKAGE_HOMES.find(([prefix]) => specifier === prefix || specifier.startsWith(withSlash(prefix)))
  if (home !== undefined) return home[1].includes(layer) ? undefined : `it lives in client/${home[1].join(", client/")}`
  return [...CORE, "abi"].includes(layer) ? `${layer} imports no such package` : undefined
}

function layerOf(path: string): string {
  const [, folder = "", rest] = path.split("/")
  return rest === undefined ? "index" : folder
}

function withSlash(prefix: string): string {
  return prefix.endsWith("/") ? prefix : `${prefix}/`
}
