import { readFileSync } from "node:fs"
import { createPublicClient, createWalletClient, http } from "viem"
import type { Abi, Hex } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { foundry } from "viem/chains"
import { TEST_KEYS } from "../../test/helpers/ledger.ts"

/** A contract of somebody else's on the ledger of a measurement. */
export type PeerContract = {
  readonly address: Hex
  /** What a call costs, gas, and its logs. */
  send(
    functionName: string,
    args: readonly unknown[],
  ): Promise<{ gas: number; logs: readonly { topics: readonly Hex[]; data: Hex }[] }>
}

/** Whoever deploys and calls contracts of others. */
export type PeerChain = {
  readonly account: Hex
  deploy(artifact: string, args?: readonly unknown[]): Promise<PeerContract>
}

/** Deploys contracts from the artifacts inside npm packages, and calls them with a key of its own. */
export function peerChain(url: string): PeerChain {
  const account = privateKeyToAccount(TEST_KEYS[3] as Hex)
  const transport = http(url)
  const wallet = createWalletClient({ account, chain: foundry, transport })
  const reader = createPublicClient({ chain: foundry, transport, pollingInterval: 20 })
  return {
    account: account.address,
    async deploy(artifact: string, args: readonly unknown[] = []): Promise<PeerContract> {
      const path = new URL(`../../node_modules/${artifact}`, import.meta.url)
      const { abi, bytecode } = JSON.parse(readFileSync(path, "utf8")) as { abi: Abi; bytecode: Hex }
      const hash = await wallet.deployContract({ abi, bytecode, args: [...args] })
      const { contractAddress } = await reader.waitForTransactionReceipt({ hash })
      if (contractAddress === undefined || contractAddress === null) throw new Error(`${artifact} was not deployed`)
      const address = contractAddress
      return {
        address,
        async send(functionName, callArgs) {
          const sent = await wallet.writeContract({ address, abi, functionName, args: [...callArgs] })
          const { gasUsed, status, logs } = await reader.waitForTransactionReceipt({ hash: sent })
          if (status !== "success") throw new Error(`${functionName} of ${artifact} reverted`)
          return { gas: Number(gasUsed), logs }
        },
      }
    },
  }
}

/** What a device costs with ERC-1056 (ethr-did-registry) and with EAS, when each is registered, and each revoked, by itself or in lists. */
export type PeerGas = {
  readonly erc1056: { readonly register: number; readonly revoke: number }
  readonly eas: {
    readonly register: number
    readonly revoke: number
    readonly registerInList: number
    readonly revokeInList: number
  }
}

const ZERO: Hex = `0x${"00".repeat(32)}`
const NOBODY: Hex = `0x${"00".repeat(20)}`

/**
 * Registers and revokes `count` devices with each peer, in the cheapest way each has: ERC-1056 writes the device's hash as an
 * attribute of the manufacturer's identity, EAS attests it, one by one and in lists of `list`.
 */
export async function measurePeerGas(url: string, count: number, list: number): Promise<PeerGas> {
  const chain = peerChain(url)
  const random = (): Hex => `0x${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex")}`
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

  const didRegistry = await chain.deploy(
    "ethr-did-registry/artifacts/contracts/EthereumDIDRegistry.sol/EthereumDIDRegistry.json",
  )
  const name: Hex = `0x${Buffer.from("device".padEnd(32, "\0")).toString("hex")}`
  const hashes = Array.from({ length: count + 1 }, random)
  const registered: number[] = []
  const revoked: number[] = []
  for (const hash of hashes)
    registered.push((await didRegistry.send("setAttribute", [chain.account, name, hash, 10n ** 9n])).gas)
  for (const hash of hashes) revoked.push((await didRegistry.send("revokeAttribute", [chain.account, name, hash])).gas)

  const artifacts = "@ethereum-attestation-service/eas-contracts/artifacts/contracts"
  const schemas = await chain.deploy(`${artifacts}/SchemaRegistry.sol/SchemaRegistry.json`)
  const eas = await chain.deploy(`${artifacts}/EAS.sol/EAS.json`, [schemas.address])
  const { logs } = await schemas.send("register", ["bytes32 credentialHash", NOBODY, true])
  const schema = logs[0]?.topics[1] as Hex
  const attestation = (data: Hex) => ({
    recipient: NOBODY,
    expirationTime: 0n,
    revocable: true,
    refUID: ZERO,
    data,
    value: 0n,
  })
  const uidsOf = (found: readonly { data: Hex }[]): Hex[] => found.map(({ data }) => data)
  const attested: number[] = []
  const uids: Hex[] = []
  for (const hash of hashes) {
    const { gas, logs: events } = await eas.send("attest", [{ schema, data: attestation(hash) }])
    attested.push(gas)
    uids.push(...uidsOf(events))
  }
  const withdrawn: number[] = []
  for (const uid of uids) withdrawn.push((await eas.send("revoke", [{ schema, data: { uid, value: 0n } }])).gas)
  const many = await eas.send("multiAttest", [
    [{ schema, data: Array.from({ length: list }, () => attestation(random())) }],
  ])
  const fewer = await eas.send("multiRevoke", [
    [{ schema, data: uidsOf(many.logs).map((uid) => ({ uid, value: 0n })) }],
  ])
  // The first of each pays for what all later ones find.
  const usual = (values: readonly number[]): number => mean(values.slice(1))
  return {
    erc1056: { register: usual(registered), revoke: usual(revoked) },
    eas: {
      register: usual(attested),
      revoke: usual(withdrawn),
      registerInList: many.gas / list,
      revokeInList: fewer.gas / list,
    },
  }
}
