import { ReplyMalformedError } from "../../client/index.ts"
import type { Hex, JsonRpc } from "../../client/index.ts"
import { PrecompileFlawedError } from "./deployErrors.ts"

/** Whether a chain checks P-256 signatures itself. The contracts work with and without. */
export type PrecompileFinding = "sound" | "absent"

const P256_PRECOMPILE = "0x0000000000000000000000000000000000000100"
const VALID = `0x${"1".padStart(64, "0")}`

type Probe = { name: string; valid: boolean; input: string }

// Wycheproof, ecdsa_secp256r1_sha256_p1363, as EIP-7951 carries it; hash, r, s, x, y of 32 octets each.
const MESSAGE_HASH = "bb5a52f42f9c9261ed4361f59422a1e30036e7c32b270c8807a419feca605023"
const LARGE_X_KEY =
  "0ad99500288d466940031d72a9f5445a4d43784640855bf0a69874d2de5fe103c5011e6ef2c42dcd50d5d3d29f99ae6eba2c80c9244f4c5422f0979ff0c3ba5e"
const LARGE_X_S = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc63254e"

const PROBES: readonly Probe[] = [
  {
    name: "an ordinary one",
    valid: true,
    input:
      "2ba3a8be6b94d5ec80a6d9d1190a436effe50d85a1eee859b8cc6af9bd5c2e184cd60b855d442f5b3c7b11eb6c4e0ae7525fe710fab9aa7c77a67f79e6fadd762927b10512bae3eddcfe467828128bad2903269919f7086069c8c4df6c732838c7787964eaac00e5921fb1498a60f4606766b3d9685001558d1a974e7341513e",
  },
  // RIP-7212 compared r with an x-coordinate that was not reduced by the group's order.
  {
    name: "x-coordinate above the order",
    valid: true,
    input: `000000000000000000000000000000004319055358e8617b0c46353d039cdaab${LARGE_X_S}${LARGE_X_KEY}`,
  },
  {
    name: "r above the order",
    valid: false,
    input: `ffffffff00000001000000000000000000000000fffffffffffffffffffffffc${LARGE_X_S}${LARGE_X_KEY}`,
  },
  // RIP-7212 said nothing about a sum that is the point at infinity.
  {
    name: "sum at infinity",
    valid: false,
    input:
      "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8555555550000000055555555555555553ef7a8e48d07df81a693439654210c70b533d4695dd5b8c5e07757e55e6e516f7e2c88fa0239e23f60e8ec07dd70f2871b134ee58cc583278456863f33c3a85d881f7d4a39850143e29d4eaf009afe47",
  },
  {
    name: "comparison with infinity",
    valid: false,
    input:
      "555555550000000055555555555555553ef7a8e48d07df81a693439654210c703333333300000000333333333333333325c7cbbc549e52e763f1f55a327a3aa9dd86d3b5f4a13e8511083b78002081c53ff467f11ebd98a51a633db76665d25045d5c8200c89f2fa10d849349226d21d8dfaed6ff8d5cb3e1b7e17474ebc18f7",
  },
  { name: "a public key at infinity", valid: false, input: `${"1".padStart(64, "0").repeat(2)}${"0".repeat(128)}` },
]

/**
 * Asks the chain's P-256 precompile about signatures that the older RIP-7212 got wrong.
 *
 * @throws PrecompileFlawedError
 */
export async function probePrecompile(rpc: JsonRpc): Promise<PrecompileFinding> {
  const answers = await Promise.all(PROBES.map((probe) => ask(rpc, probe)))
  // Without code or precompile a call succeeds and returns nothing, to all questions alike.
  if (answers.every((answer) => answer === "0x")) return "absent"
  PROBES.forEach(({ name, valid }, i) => {
    const expected = valid ? VALID : "0x"
    const found = answers[i] ?? "nothing"
    if (found !== expected) throw new PrecompileFlawedError({ probe: name, expected, found })
  })
  return "sound"
}

async function ask(rpc: JsonRpc, { input }: Probe): Promise<string> {
  const data: Hex = `0x${MESSAGE_HASH}${input}`
  const answer = await rpc.request({ method: "eth_call", params: [{ to: P256_PRECOMPILE, data }, "latest"] })
  if (typeof answer === "string" && /^0x([0-9a-fA-F]{2})*$/.test(answer)) return answer.toLowerCase()
  throw new ReplyMalformedError({ what: "eth_call", expected: "hexadecimal data", found: String(answer).slice(0, 80) })
}
