import { p256 } from "@noble/curves/nist.js"
import { artifacts, network } from "hardhat"
import { createPublicClient, createWalletClient, custom, getContract, hexToBytes } from "viem"
import type { Abi, Address, Hex, PublicClient, TransactionReceipt } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { hardhat } from "viem/chains"
import { deviceRegistryAbi } from "../../../client/abi/DeviceRegistry.ts"
import { fleetrootAccessAbi } from "../../../client/abi/FleetrootAccess.ts"
import { manufacturerRegistryAbi } from "../../../client/abi/ManufacturerRegistry.ts"
import {
  batchRegistrationStatement,
  keyPossessionStatement,
  selfRevocationStatement,
  sha256,
  toHex,
} from "../../../client/index.ts"

/** Far in the future, well inside uint40. */
export const FAR = 4_000_000_000

export const PURPOSES = { issuer: 1, openIssuer: 2, firmware: 3 } as const
export type Purpose = keyof typeof PURPOSES

export type StageOptions = { network?: "default" | "cancun"; delay?: number; keyDelay?: number }

/** The registries of devices and manufacturers on an EDR of their own, straight through viem and the generated ABI. */
export type Stage = Awaited<ReturnType<typeof openStage>>

/** Deploys the contracts; account 0 is the consortium, account 1 the guardian. */
// oxlint-disable-next-line typescript/explicit-module-boundary-types -- viem infers the contracts' types; nobody could write them out
export async function openStage({ network: name = "default", delay = 0, keyDelay = 0 }: StageOptions = {}) {
  const connection = await network.create(name)
  const { provider } = connection
  const transport = custom(
    { request: (call: { method: string; params?: unknown }) => provider.request(call as never) },
    { retryCount: 0 },
  )
  const client = createPublicClient({ chain: hardhat, transport, pollingInterval: 5, cacheTime: 0 })
  const accounts = Array.from({ length: 10 }, (_, i) => privateKeyToAccount(secretOf(`account ${i}`)))
  const wallets = accounts.map((account) => createWalletClient({ account, chain: hardhat, transport }))
  for (const { address } of accounts) {
    await provider.request({ method: "hardhat_setBalance", params: [address, "0x3635c9adc5dea00000"] })
  }
  const deploy = async (contract: string, args: readonly unknown[]): Promise<Address> => {
    const { abi, bytecode } = await artifacts.readArtifact(contract)
    const wallet = at(wallets, 9)
    const hash = await wallet.deployContract({ abi: abi as Abi, bytecode: bytecode as Hex, args })
    const { contractAddress } = await client.waitForTransactionReceipt({ hash })
    if (contractAddress === null || contractAddress === undefined) throw new Error(`${contract} was not deployed`)
    return contractAddress.toLowerCase() as Address
  }
  const access = await deploy("FleetrootAccess", [at(accounts, 0).address, at(accounts, 1).address, delay])
  const manufacturers = await deploy("ManufacturerRegistry", [access, keyDelay, 1])
  const devices = await deploy("DeviceRegistry", [manufacturers, access])

  return {
    provider,
    client: client as PublicClient,
    accounts,
    wallets,
    deploy,
    close: (): Promise<void> => connection.close(),
    access: getContract({ address: access, abi: fleetrootAccessAbi, client }),
    manufacturers: getContract({ address: manufacturers, abi: manufacturerRegistryAbi, client }),
    devices: getContract({ address: devices, abi: deviceRegistryAbi, client }),
  }
}

export type Call = {
  contract: { address: Address; abi: Abi | readonly unknown[] }
  functionName: string
  args: readonly unknown[]
}

/** Sends a call from an account, by number, and waits for its receipt; throws when it reverts. */
export async function send(stage: Stage, account: number, call: Call): Promise<TransactionReceipt> {
  const hash = await at(stage.wallets, account).writeContract({
    address: call.contract.address,
    abi: call.contract.abi as Abi,
    functionName: call.functionName,
    args: call.args,
    gas: 16_777_216n,
  })
  const receipt = await stage.client.waitForTransactionReceipt({ hash })
  if (receipt.status !== "success") throw new Error(`${call.functionName} reverted`)
  return receipt
}

/** A P-256 key of a test. */
export type TestKey = { secret: Uint8Array; spki: Uint8Array; keyId: Hex; x: Hex; y: Hex }

export function testKey(name: string): TestKey {
  const secret = hexToBytes(secretOf(`key ${name}`))
  const point = p256.getPublicKey(secret, false)
  const spki = new Uint8Array([...hexToBytes("0x3059301306072a8648ce3d020106082a8648ce3d030107034200"), ...point])
  return { secret, spki, keyId: toHex(sha256(spki)), x: toHex(point.slice(1, 33)), y: toHex(point.slice(33)) }
}

/** r and s with s at most n / 2, over SHA-256 of the message. */
export function signLow(key: TestKey, message: Uint8Array): { r: Hex; s: Hex } {
  const raw = p256.sign(message, key.secret, { lowS: true, format: "compact" })
  return { r: toHex(raw.slice(0, 32)), s: toHex(raw.slice(32)) }
}

const CHAIN = 31_337

/** The call that adds a key, with its proof of possession made by the client's own code. */
export function addKeyCall(stage: Stage, manufacturerId: number, key: TestKey, purpose: Purpose): Call {
  const domain = { chainId: CHAIN, verifyingContract: stage.manufacturers.address }
  const { r, s } = signLow(key, keyPossessionStatement(domain, { manufacturerId, keyId: key.keyId, purpose }))
  const args = [manufacturerId, PURPOSES[purpose], 0, FAR, toHex(key.spki), `${r}${s.slice(2)}`]
  return { contract: stage.manufacturers, functionName: "addKey", args }
}

export type BatchInput = { series: number; size: number; keyIndex: number; notAfter: number; root: Hex }

export function batchForCall(
  stage: Stage,
  manufacturerId: number,
  key: TestKey,
  input: BatchInput,
  kind: "x509" | "rawPublicKey" = "x509",
): Call {
  const domain = { chainId: CHAIN, verifyingContract: stage.devices.address }
  const message = batchRegistrationStatement(domain, { manufacturerId, keyId: key.keyId, kind, ...input })
  const { r, s } = signLow(key, message)
  const args = [manufacturerId, input, kind === "x509" ? 0 : 1, r, s]
  return { contract: stage.devices, functionName: "registerBatchFor", args }
}

export function selfCall(
  stage: Stage,
  manufacturerId: number,
  key: TestKey,
  place: { series: number; index: number; proof: readonly Hex[] },
): Call {
  const payload = payloadOf(key)
  const credentialHash = toHex(sha256(payload))
  const domain = { chainId: CHAIN, verifyingContract: stage.devices.address }
  const { r, s } = signLow(key, selfRevocationStatement(domain, { manufacturerId, credentialHash, reason: 1 }))
  const args = [manufacturerId, toHex(payload), place.series, place.index, place.proof, 1, r, s]
  return { contract: stage.devices, functionName: "revokeSelf", args }
}

/** The COSE payload of a raw public key object. */
export function payloadOf(key: TestKey): Uint8Array {
  const tail = hexToBytes(`0x0200031affffffff0450${"ab".repeat(16)}`)
  return new Uint8Array([...hexToBytes("0xa401585b"), ...key.spki, ...tail])
}

export function hashOf(text: string): Hex {
  return toHex(sha256(new TextEncoder().encode(text)))
}

function secretOf(text: string): Hex {
  return hashOf(`secret of ${text}`)
}

/** An item that must be there. */
export function at<T>(items: readonly T[], index: number): T {
  const item = items[index]
  if (item === undefined) throw new Error(`there is no item ${index}`)
  return item
}

/** Numbers below 2^32 that are the same in every run. */
export function pseudoRandom(seed: string): (below: number) => number {
  let count = 0
  return (below) => Number(BigInt(hashOf(`${seed} ${count++}`)) % BigInt(below))
}
