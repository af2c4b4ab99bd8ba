import { artifacts } from "hardhat"
import { describe, expect, it } from "vitest"

const CONTRACTS = ["FleetrootAccess", "ManufacturerRegistry", "DeviceRegistry", "FirmwareRegistry"] as const

/** Instructions that change which code rules, by their octet. */
const FORBIDDEN = new Map([
  [0xf0, "CREATE"],
  [0xf2, "CALLCODE"],
  [0xf4, "DELEGATECALL"],
  [0xf5, "CREATE2"],
  [0xff, "SELFDESTRUCT"],
])

/** Functions that would set a contract up after its deployment, or stop it. */
const FORBIDDEN_NAMES = /^(initialize|initialise|init|pause|unpause|upgrade|destroy|kill)/i

describe("deployed code", () => {
  // THREATS.md, G8. OpenZeppelin's manager calls itself by delegatecall for several calls at once, and nothing else does.
  it.each(CONTRACTS)("%s holds no instruction that could swap its rules", async (name) => {
    const found = forbiddenIn(await codeOf(name))
    expect(found).toEqual(name === "FleetrootAccess" ? ["DELEGATECALL"] : [])
  })

  // THREATS.md, G9 and G7.
  it.each(CONTRACTS)("%s has nothing to set up, pause or upgrade", async (name) => {
    const { abi } = await artifacts.readArtifact(name)
    const functions = (abi as { type: string; name?: string }[]).filter(({ type }) => type === "function")
    expect(functions.map((item) => item.name).filter((item) => FORBIDDEN_NAMES.test(item ?? ""))).toEqual([])
    expect(functions.length).toBeGreaterThan(10)
  })

  it("is read rightly: data pushed by an instruction is no instruction", () => {
    expect(forbiddenIn(Uint8Array.of(0x60, 0xf4, 0x00))).toEqual([])
    expect(forbiddenIn(Uint8Array.of(0x62, 0xff, 0xf4, 0xf0, 0xff))).toEqual(["SELFDESTRUCT"])
    expect(forbiddenIn(Uint8Array.of(0x7f, ...new Uint8Array(32).fill(0xff), 0xf4))).toEqual(["DELEGATECALL"])
    expect(forbiddenIn(Uint8Array.of(0x5f, 0xf5))).toEqual(["CREATE2"])
  })

  it("would show a planted defect", async () => {
    const planted = new Uint8Array([...(await codeOf("DeviceRegistry")), 0x5b, 0xf4])
    expect(forbiddenIn(planted)).toEqual(["DELEGATECALL"])
  })
})

/** Runtime code without the metadata at its end, whose length its last two octets say. */
async function codeOf(name: string): Promise<Uint8Array> {
  const { deployedBytecode } = await artifacts.readArtifact(name)
  const code = Uint8Array.from(Buffer.from(deployedBytecode.slice(2), "hex"))
  const length = (code.at(-2) ?? 0) * 256 + (code.at(-1) ?? 0)
  expect(code[code.length - 2 - length]! & 0xf0).toBe(0xa0) // a CBOR map
  return code.slice(0, code.length - 2 - length)
}

function forbiddenIn(code: Uint8Array): string[] {
  const found: string[] = []
  for (let i = 0; i < code.length; i++) {
    const instruction = code[i] ?? 0
    const name = FORBIDDEN.get(instruction)
    if (name !== undefined) found.push(name)
    // PUSH1 (0x60) to PUSH32 (0x7f) carry 1 to 32 octets of data.
    if (instruction >= 0x60 && instruction <= 0x7f) i += instruction - 0x5f
  }
  return found
}
