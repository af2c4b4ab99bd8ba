import { existsSync, readFileSync, readdirSync } from "node:fs"
import { join } from "node:path"

export type AbiParameter = {
  name: string
  type: string
  indexed?: boolean
  components?: AbiParameter[]
}

export type AbiItem = {
  type: string
  name?: string
  inputs?: AbiParameter[]
  outputs?: AbiParameter[]
  stateMutability?: string
  anonymous?: boolean
}

export type LayoutType = {
  encoding: string
  label: string
  numberOfBytes: string
  key?: string
  value?: string
  base?: string
  members?: LayoutEntry[]
}

export type LayoutEntry = { label: string; slot: string; offset: number; type: string }

export type StorageLayout = { storage: LayoutEntry[]; types: Record<string, LayoutType> | null }

export type CompiledContract = { name: string; abi: AbiItem[]; storageLayout: StorageLayout }

export type CompiledProject = {
  /** Those that are deployed: in contracts/ itself and not abstract; sorted by name. */
  deployable: CompiledContract[]
  /** Every error that the project's contracts, interfaces and libraries declare or use, each signature once; sorted. */
  errors: AbiItem[]
}

type Artifact = { contractName: string; inputSourceName: string; abi: AbiItem[]; bytecode: string; buildInfoId: string }

/** Reads what the compiler left in `artifacts/`; mocks and tests are not part of it. */
export function readContracts(root: string): CompiledProject {
  const artifacts = listArtifacts(join(root, "artifacts", "contracts")).filter(
    (artifact) => !artifact.inputSourceName.startsWith("project/contracts/mocks/"),
  )
  if (artifacts.length === 0) throw new Error("artifacts/contracts is empty: run `hardhat build` first.")

  const deployable = artifacts
    .filter(({ inputSourceName, bytecode }) => /^project\/contracts\/[^/]+$/.test(inputSourceName) && bytecode !== "0x")
    .map((artifact) => ({
      name: artifact.contractName,
      abi: artifact.abi,
      storageLayout: readStorageLayout(root, artifact),
    }))
  return { deployable: sortBy(deployable, ({ name }) => name), errors: collectErrors(artifacts) }
}

/** `BatchUnknown(uint32,uint32)`: what tells two errors, events or functions apart. */
export function signatureOf({ name = "", inputs = [] }: AbiItem): string {
  return `${name}(${inputs.map(typeOf).join(",")})`
}

function typeOf({ type, components }: AbiParameter): string {
  return components === undefined ? type : type.replace("tuple", `(${components.map(typeOf).join(",")})`)
}

function collectErrors(artifacts: Artifact[]): AbiItem[] {
  const bySignature = new Map<string, AbiItem>()
  for (const item of artifacts.flatMap(({ abi }) => abi)) {
    if (item.type === "error") bySignature.set(signatureOf(item), item)
  }
  return sortBy([...bySignature.values()], signatureOf)
}

function readStorageLayout(root: string, { contractName, inputSourceName, buildInfoId }: Artifact): StorageLayout {
  const path = join(root, "artifacts", "build-info", `${buildInfoId}.output.json`)
  const { output } = JSON.parse(readFileSync(path, "utf8")) as {
    output: { contracts: Record<string, Record<string, { storageLayout?: StorageLayout }>> }
  }
  const layout = output.contracts[inputSourceName]?.[contractName]?.storageLayout
  if (layout === undefined) throw new Error(`${path} holds no storage layout of ${contractName}.`)
  return layout
}

function listArtifacts(folder: string): Artifact[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".json"))
    .map((path) => JSON.parse(readFileSync(join(folder, path), "utf8")) as Artifact)
}

/** In code unit order, which no machine's language settings change. */
function sortBy<T>(list: T[], key: (item: T) => string): T[] {
  return list.toSorted((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0))
}
