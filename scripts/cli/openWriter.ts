import type { GovernanceClient, LedgerWriter, ManufacturerClient, Payer } from "../../client/index.ts"
import { SignerMissingError, UsageError } from "./cliError.ts"
import { openLedger } from "./openLedger.ts"
import type { OpenLedger } from "./openLedger.ts"
import type { CommonOptions, SignerOptions } from "./options/common.ts"
import { promptSecret } from "./output/promptSecret.ts"
import { TESTNET_CHAIN_ID, TESTNET_PRIVATE_KEY } from "./testnet/account.ts"

/** A ledger, and somebody who pays for changing it. */
export type OpenWriter = OpenLedger & {
  writer: LedgerWriter
  manufacturer(manufacturerId: number): ManufacturerClient
  governance(): GovernanceClient
}

/**
 * Opens the ledger for writing, runs `work` and lets go of the account again. Transactions on their way are journalled, and no two
 * runs write with one account at the same time.
 */
export async function withWriter<T>(
  options: CommonOptions & SignerOptions,
  purpose: string,
  work: (open: OpenWriter) => Promise<T>,
): Promise<T> {
  const open = await openLedger(options)
  const { client, node, deployment, rpc, ledger } = open
  // Before anything is asked for or kept: is this the right chain?
  await ledger.at("latest")
  const payer = await findPayer(options, open)
  const journal = await node.openJournal({
    folder: node.stateFolder(process.env),
    deployment,
    account: payer.address.toLowerCase() as `0x${string}`,
    purpose: `fleetroot ${purpose}`,
    onWait: (holder) => {
      process.stderr.write(`waiting for another run with this account: ${holder}\n`)
    },
  })
  try {
    const writer = new client.LedgerWriter({ deployment, rpc, payer, journal })
    return await work({
      ...open,
      writer,
      manufacturer: (manufacturerId) => new client.ManufacturerClient({ ledger, writer, rpc, manufacturerId }),
      governance: () => new client.GovernanceClient({ ledger, writer, rpc }),
    })
  } finally {
    journal.close()
  }
}

/** The account that options, environment or the testnet name. @throws SignerMissingError */
export async function findPayer({ keystore, passphraseFile }: SignerOptions, open: OpenLedger): Promise<Payer> {
  const { env } = process
  const { node, deployment } = open
  if (keystore !== undefined) {
    return node.payerFromKeystore(keystore, await findPassphrase(keystore, passphraseFile, open))
  }
  if (passphraseFile !== undefined) throw new UsageError("--passphrase-file goes with --keystore.")
  const privateKey = env["FLEETROOT_PRIVATE_KEY"]
  if (privateKey !== undefined && privateKey !== "")
    return node.payerFromPrivateKey(privateKey, "FLEETROOT_PRIVATE_KEY")

  if (deployment.chainId === TESTNET_CHAIN_ID) {
    const testnet = await node.payerFromPrivateKey(TESTNET_PRIVATE_KEY, "the testnet's account")
    if (await isAccountOfNode(open, testnet.address)) return testnet
  }
  throw new SignerMissingError({ chainId: deployment.chainId })
}

async function findPassphrase(keystore: string, file: string | undefined, { node }: OpenLedger): Promise<string> {
  if (file !== undefined) return node.readPassphraseFile(file)
  const fromEnvironment = process.env["FLEETROOT_PASSPHRASE"]
  if (fromEnvironment !== undefined) return fromEnvironment
  const typed = await promptSecret(`Passphrase of ${keystore}: `)
  if (typed !== undefined) return typed
  throw new UsageError(`The passphrase of ${keystore} was not given, and there is no terminal to ask on.`, {
    hint: "Give --passphrase-file FILE (mode 0600) or set FLEETROOT_PASSPHRASE.",
  })
}

/** Development nodes hold their well-known accounts and say so; a node of a real chain holds none. */
async function isAccountOfNode({ rpc, client }: OpenLedger, address: string): Promise<boolean> {
  try {
    const accounts = await rpc.request({ method: "eth_accounts", params: [] })
    return (
      Array.isArray(accounts) && accounts.some((account) => String(account).toLowerCase() === address.toLowerCase())
    )
  } catch (error) {
    if (error instanceof client.RpcRejectedError) return false
    throw error
  }
}
