import type { Command } from "commander"
import { ManifestUnavailableError, PlaceMismatchError } from "../cliError.ts"
import { readBatch } from "../input/known.ts"
import { readCredentialHash } from "../input/subjects.ts"
import { openLedger } from "../openLedger.ts"
import type { OpenLedger } from "../openLedger.ts"
import { newCommand } from "../options/common.ts"
import type { CommonOptions } from "../options/common.ts"
import { printable } from "../output/printable.ts"
import { startProgress } from "../output/progress.ts"
import { runCommand } from "../runCommand.ts"
import type { Answer } from "../runCommand.ts"

type Options = CommonOptions & { manifest: string; out?: string }

/** `fleetroot batch receipt`: the receipt of one device, from the manifest. */
export function batchReceiptCommand(): Command {
  return newCommand(
    "receipt",
    "make a device's receipt from the batch's manifest, which must lead to the root on the ledger",
    "fleetroot batch receipt certs/3.pem --manifest fleet.manifest --out 3.receipt",
  )
    .argument("<cert>", "certificate file, or credential hash in hex")
    .requiredOption("--manifest <file>", "the batch's manifest")
    .option("--out <file>", "where to write it; else it is shown in hex")
    .action((given: string, options: Options) =>
      runCommand(options.json, async () => makeReceipt(await openLedger(options), given, options)),
    )
}

async function makeReceipt(open: OpenLedger, given: string, { manifest: path, out }: Options): Promise<Answer> {
  const { client, node, deployment } = open
  const credentialHash = await readCredentialHash(open, given)
  const file = await node.fileManifestSource(path).catch((cause: unknown) => {
    if (cause instanceof client.InputPathError) throw new ManifestUnavailableError({ path, series: undefined, cause })
    throw cause
  })
  const progress = startProgress("reading the manifest")
  try {
    const header = await client.readManifestHeader(file)
    const { address } = deployment.contracts.devices
    if (header.chainId !== BigInt(deployment.chainId) || header.registry !== address) {
      throw new PlaceMismatchError({
        what: `The manifest ${path}`,
        expected: `${address} on chain ${deployment.chainId}`,
        found: `${header.registry} on chain ${header.chainId}`,
      })
    }
    const { root } = await readBatch(open, header.manufacturerId, header.series)
    const manifest = await client.readManifest(file, {
      root,
      onProgress: (done, size) => {
        progress.update(done, size)
      },
    })
    const receipt = await (await client.receiptsFromManifest(manifest)).receiptOf(credentialHash)
    if (receipt === undefined) {
      throw new PlaceMismatchError({
        what: `The manifest ${path}`,
        expected: `credential ${credentialHash}`,
        found: `${header.size} others`,
      })
    }
    const bytes = client.encodeReceipt(receipt)
    if (out !== undefined) await node.writeFileAtomic(out, bytes)
    const { manufacturerId: manufacturer, series, index, size } = receipt
    return {
      json: { credentialHash, manufacturer, series, index, size, receipt: client.toHex(bytes), file: out ?? null },
      text: () =>
        `credential ${credentialHash} is at index ${index} of ${size} in batch ${series} of manufacturer ${manufacturer}\n` +
        (out === undefined ? client.toHex(bytes) : `receipt: ${printable(out)}`),
    }
  } finally {
    progress.stop()
    await file.close()
  }
}
