import type { CompiledContract, LayoutEntry, LayoutType, StorageLayout } from "./readContracts.ts"

type PlainLayout = {
  storage: LayoutEntry[]
  types: Record<string, LayoutType>
}

/** The TypeScript file that says in which slot each contract keeps what; readers of raw storage start here. */
export function storageLayoutFile(contracts: CompiledContract[]): string {
  const layouts = contracts.map(({ name, storageLayout }) => {
    const { storage, types } = plainLayout(storageLayout)
    const entries = storage.map((entry) => `      ${JSON.stringify(entry)},\n`)
    const typeLines = Object.entries(types).map(
      ([id, type]) => `      ${JSON.stringify(id)}: ${JSON.stringify(type)},\n`,
    )
    return `  ${name}: {\n    storage: [\n${entries.join("")}    ],\n    types: {\n${typeLines.join("")}    },\n  },\n`
  })
  return (
    "// Written by `npm run generate` from the compiled contracts.\n" +
    "/** Slots are decimal; offsets count bytes from the low end of the slot's word; members count from their struct's first slot. */\n" +
    `export const storageLayout = {\n${layouts.join("")}} as const\n`
  )
}

/** Leaves out the compiler's node numbers, which change with every edit anywhere. */
function plainLayout({ storage, types }: StorageLayout): PlainLayout {
  const plain: Record<string, LayoutType> = {}
  for (const [id, type] of Object.entries(types ?? {})) {
    const plainId = withoutNumbers(id)
    const plainType = plainTypeOf(type)
    const other = plain[plainId]
    if (other !== undefined && JSON.stringify(other) !== JSON.stringify(plainType)) {
      throw new Error(`Two types of a contract's storage are both called ${plainId}: rename one.`)
    }
    plain[plainId] = plainType
  }
  const sorted = Object.entries(plain).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return { storage: storage.map(plainEntry), types: Object.fromEntries(sorted) }
}

function plainTypeOf({ encoding, label, numberOfBytes, key, value, base, members }: LayoutType): LayoutType {
  return {
    encoding,
    label,
    numberOfBytes,
    ...(key === undefined ? {} : { key: withoutNumbers(key) }),
    ...(value === undefined ? {} : { value: withoutNumbers(value) }),
    ...(base === undefined ? {} : { base: withoutNumbers(base) }),
    ...(members === undefined ? {} : { members: members.map(plainEntry) }),
  }
}

function plainEntry({ label, slot, offset, type }: LayoutEntry): LayoutEntry {
  return { label, slot, offset, type: withoutNumbers(type) }
}

/** `t_struct(Log)14630_storage` becomes `t_struct(Log)_storage`. */
function withoutNumbers(typeId: string): string {
  return typeId.replaceAll(/(t_(?:struct|enum|contract|userDefinedValueType)\([^()]*\))\d+/g, "$1")
}
