import type { Command } from "commander"
import { UsageError } from "../cliError.ts"
import { readCertificate } from "../input/certificateFile.ts"
import { assertKeyPair, readIssuerKey } from "../input/issuerKey.ts"
import { assertKnown } from "../input/known.ts"
import { withWriter } from "../openWriter.ts"
import type { OpenWriter } from "../openWriter.ts"
import { newCommand, withSigner } from "../options/common.ts"
import type { CommonOptions, SignerOptions } from "../options/common.ts"
import { oneOf, time, uint32 } from "../options/parse.ts"
import { keyJson, PURPOSES } from "../output/keys.ts"
import type { PurposeWord } from "../output/keys.ts"
import { outcomeText, transactionJson } from "../output/transactions.ts"
import { runCommand } from "../runCommand.ts"

type Options = CommonOptions &
  SignerOptions & {
    manufacturer: number
    key: string
    cert?: string
    pub?: string
    purpose: PurposeWord
    notBefore?: Date
    notAfter?: Date
  }

/** `fleetroot key add`: a manufacturer's key comes on the ledger, with a proof that it is held. */
export function keyAddCommand(): Command {
  const command = newCommand(
    "add",
    "add a manufacturer's key; the key signs a proof that it is held",
    "fleetroot key add --manufacturer 2 --cert ca.pem --key ca.key --purpose issuer",
  )
    .requiredOption("--manufacturer <id>", "whose key it is", uint32("--manufacturer"))
    .requiredOption("--key <file>", "private key: PEM or DER; it stays here")
    .option("--cert <file>", "the key's certificate, which must match the private key")
    .option("--pub <file>", "the public key, which must match the private key")
    .requiredOption(
      "--purpose <purpose>",
      "issuer (batches), open-issuer (single credentials) or firmware",
      oneOf("--purpose", Object.keys(PURPOSES) as PurposeWord[]),
    )
    .option("--not-before <time>", "from when it may sign; default: at once", time("--not-before"))
    .option("--not-after <time>", "until when it may sign; default: ten years from now", time("--not-after"))
  return withSigner(command).action((options: Options) =>
    runCommand(options.json, () =>
      withWriter(options, "key add", async (open) => {
        const signer = await readIssuerKey(open, options.key)
        await assertPublicHalf(open, options, signer)
        await assertKnown(open, options.manufacturer)
        const { key, transaction } = await open.manufacturer(options.manufacturer).addKey({
          purpose: PURPOSES[options.purpose],
          signer,
          ...(options.notBefore === undefined ? {} : { notBefore: options.notBefore }),
          ...(options.notAfter === undefined ? {} : { notAfter: options.notAfter }),
        })
        const what = `${options.purpose} key ${key.index} of manufacturer ${options.manufacturer}: ${key.keyId}`
        return {
          json: { ...keyJson(key), transaction: transactionJson(transaction) },
          text: () => outcomeText(`added ${what}`, `on the ledger already: ${what}`, transaction),
        }
      }),
    ),
  )
}

const MAX_BYTES = 64 * 1024

async function assertPublicHalf(
  open: OpenWriter,
  { cert, pub, key: keyFile }: Options,
  signer: Awaited<ReturnType<typeof readIssuerKey>>,
): Promise<void> {
  if (cert === undefined && pub === undefined) return
  if (cert !== undefined) {
    const { spki } = await readCertificate(open, cert)
    assertKeyPair(open, signer, spki, { publicFile: cert, keyFile })
  }
  if (pub !== undefined) {
    const bytes = await open.node.readRegularFile(pub, { maximumBytes: MAX_BYTES })
    const DER_SEQUENCE = 0x30
    const blocks =
      bytes[0] === DER_SEQUENCE ? undefined : open.client.decodePem(new TextDecoder().decode(bytes), "PUBLIC KEY")
    const spki = blocks === undefined ? bytes : blocks[0]?.der
    if (spki === undefined || (blocks?.length ?? 1) > 1) {
      throw new UsageError(`${pub} should hold one block "PUBLIC KEY"; found ${blocks?.length ?? 0}.`)
    }
    assertKeyPair(open, signer, spki, { publicFile: pub, keyFile })
  }
}
