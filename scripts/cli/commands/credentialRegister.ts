import type { Command } from "commander"
import type { Certificate, LedgerKey } from "../../../client/index.ts"
import { CertificateForeignError, CredentialUnfitError } from "../cliError.ts"
import { readCertificate } from "../input/certificateFile.ts"
import { assertKnown } from "../input/known.ts"
import { findIssuer } from "../input/subjects.ts"
import { withWriter } from "../openWriter.ts"
import type { OpenWriter } from "../openWriter.ts"
import { newCommand, withSigner } from "../options/common.ts"
import type { CommonOptions, SignerOptions } from "../options/common.ts"
import { uint32 } from "../options/parse.ts"
import { printable } from "../output/printable.ts"
import { transactionJson, transactionText } from "../output/transactions.ts"
import { runCommand } from "../runCommand.ts"
import type { Answer } from "../runCommand.ts"

type Options = CommonOptions & SignerOptions & { manufacturer: number }

type Credential = { file: string; certificate: Certificate; key: LedgerKey }

/** `fleetroot credential register`: certificates of an open issuer, one by one, with no receipts to carry. */
export function credentialRegisterCommand(): Command {
  const command = newCommand(
    "register",
    "register certificates of an open-issuer key by themselves: dearer than a batch, but they need no receipt",
    "fleetroot credential register dev7.pem --manufacturer 2",
  )
    .argument("<cert...>", "certificate files, signed by an open-issuer key of the manufacturer")
    .requiredOption("--manufacturer <id>", "whose devices they are", uint32("--manufacturer"))
  return withSigner(command).action((files: string[], options: Options) =>
    runCommand(options.json, () =>
      withWriter(options, "credential register", (open) => register(open, files, options)),
    ),
  )
}

async function register(open: OpenWriter, files: readonly string[], { manufacturer }: Options): Promise<Answer> {
  await assertKnown(open, manufacturer)
  const keys = await open.client.listKeys({ ledger: open.ledger }, manufacturer)
  const openIssuers = keys.filter(({ purpose }) => purpose === "openIssuer")
  // All are judged before anything is sent.
  const credentials: Credential[] = []
  for (const file of files) {
    const certificate = await readCertificate(open, file)
    assertFit(open, file, certificate)
    const key = await findIssuer(open, certificate, openIssuers)
    if (key === undefined)
      throw new CertificateForeignError({ file, manufacturerId: manufacturer, keys: "open-issuer" })
    credentials.push({ file, certificate, key })
  }
  const client = open.manufacturer(manufacturer)
  const outcomes = []
  for (const [keyIndex, group] of Map.groupBy(credentials, ({ key }) => key.index)) {
    const items = group.map(({ certificate: { credentialHash, notAfter } }) => ({ credentialHash, notAfter }))
    outcomes.push(await client.registerCredentials(keyIndex, items))
  }
  const transactions = outcomes.flatMap((outcome) => outcome.transactions)
  const alreadyDone = outcomes.reduce((sum, outcome) => sum + outcome.alreadyDone, 0)
  return {
    json: {
      manufacturer,
      credentials: credentials.map(({ file, certificate, key }) => ({
        file,
        credentialHash: certificate.credentialHash,
        keyIndex: key.index,
      })),
      transactions: transactions.map(transactionJson),
      alreadyDone,
    },
    text: () =>
      [
        ...credentials.map(({ file, certificate }) => `registered: ${printable(file)} (${certificate.credentialHash})`),
        ...(alreadyDone > 0 ? [`of these, ${alreadyDone} were registered already`] : []),
        ...transactions.map(transactionText),
      ].join("\n"),
  }
}

function assertFit({ client }: OpenWriter, file: string, certificate: Certificate): void {
  const [finding] = client.checkDeviceProfile(certificate)
  if (finding !== undefined) throw new CredentialUnfitError({ file, problem: finding.message })
  const end = new Date(certificate.notAfter * 1000)
  if (end.getTime() < Date.now()) throw new CredentialUnfitError({ file, problem: `it ended at ${end.toISOString()}.` })
}
