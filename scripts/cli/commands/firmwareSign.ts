import type { Command } from "commander"
import type { KeySigner, ReleaseDraft } from "../../../client/index.ts"
import { CliError, EXIT, UsageError } from "../cliError.ts"
import { FIRMWARE_OPTIONS, collectFile } from "../firmware/options.ts"
import { readManifest, readRelease, withImages, writeRelease } from "../firmware/files.ts"
import { draftJson, draftText } from "../firmware/releaseText.ts"
import { readIssuerKey } from "../input/issuerKey.ts"
import type { OpenLedger } from "../openLedger.ts"
import { newCommand } from "../options/common.ts"
import type { CommonOptions } from "../options/common.ts"
import { printable } from "../output/printable.ts"
import { runCommand } from "../runCommand.ts"
import type { Answer } from "../runCommand.ts"

type Library = Pick<OpenLedger, "client" | "node">

type Options = CommonOptions & {
  key?: string
  pkcs11Module?: string
  tokenLabel?: string
  keyLabel?: string
  pinFile?: string
  image?: string
  manifest?: string
  part?: readonly string[]
}

/** `fleetroot firmware sign`: one signer's word for a release. Needs neither network nor ether. */
export function firmwareSignCommand(): Command {
  return newCommand(
    "sign",
    "add a signature to a prepared release; needs no network",
    "fleetroot firmware sign release.json --key key-a.pem",
  )
    .argument("<release>", "file that `fleetroot firmware prepare` wrote")
    .option("--key <file>", "private key: PEM or DER")
    .option("--pkcs11-module <library>", "in place of --key: library of a token that holds the key (PKCS#11)")
    .option("--token-label <label>", "which token; default: the only one")
    .option("--key-label <label>", "which key in the token; default: the only private key")
    .option("--pin-file <file>", "file with the token's PIN, mode 0600; else FLEETROOT_PIN")
    .option("--image <file>", "sign only if the release is of this image")
    .option(...FIRMWARE_OPTIONS.manifest)
    .option(...FIRMWARE_OPTIONS.part, collectFile)
    .action((file: string, options: Options) => runCommand(options.json, () => sign(file, options)))
}

async function sign(file: string, options: Options): Promise<Answer> {
  const { pkcs11Module, key } = options
  if ((key === undefined) === (pkcs11Module === undefined)) {
    throw new UsageError("Name the signing key in one way: --key or --pkcs11-module.")
  }
  const [client, node] = await Promise.all([
    import("../../../client/index.ts"),
    import("../../../client/node/index.ts"),
  ])
  const library = { client, node }
  const draft = await readRelease(library, file)
  await assertImage(library, draft, options)
  const signed = await withSigningKey(library, options, (signer) => client.signRelease(draft, signer))
  const added = signed.signatures.length > draft.signatures.length
  if (added) await writeRelease(library, file, signed)
  return {
    json: { file, added, signatures: signed.signatures.length, ...draftJson(client, signed) },
    text: () => {
      const what = added ? `signed; ${printable(file)} has` : "this key had signed already; there are"
      return `${draftText(client, signed)}\n${what} ${signed.signatures.length} signature(s)`
    },
  }
}

async function withSigningKey<T>(
  library: Library,
  { key, pkcs11Module, tokenLabel, keyLabel, pinFile }: Options,
  use: (signer: KeySigner) => Promise<T>,
): Promise<T> {
  if (pkcs11Module === undefined) return use(await readIssuerKey(library, key ?? ""))
  const pin = pinFile === undefined ? process.env["FLEETROOT_PIN"] : await library.node.readPassphraseFile(pinFile)
  if (pin === undefined || pin === "") {
    throw new UsageError("The token's PIN was not given.", {
      hint: "Give --pin-file FILE (mode 0600) or set FLEETROOT_PIN.",
    })
  }
  const token = await library.node.openPkcs11Signer({
    module: pkcs11Module,
    pin,
    ...(tokenLabel === undefined ? {} : { tokenLabel }),
    ...(keyLabel === undefined ? {} : { keyLabel }),
  })
  try {
    return await use(token.signer)
  } finally {
    token.close()
  }
}

/** The release is not of the image that its signer has. */
class ReleaseOfOtherImageError extends CliError {
  override readonly name = "ReleaseOfOtherImageError"
  override readonly code = "RELEASE_OF_OTHER_IMAGE"

  constructor({ image, expected, found }: { image: string; expected: string; found: string }) {
    super(`The release is of image ${expected}; ${image} is ${found}.`, {
      hint: "Do not sign it. Ask whoever prepared the release.",
      exitCode: EXIT.notGood,
    })
  }
}

/** What is signed should be what the signer tested, not what a file says. */
async function assertImage(library: Library, draft: ReleaseDraft, options: Options): Promise<void> {
  const { image: path, part = [] } = options
  if (path === undefined) {
    if (options.manifest !== undefined || part.length > 0)
      throw new UsageError("--manifest and --part go with --image.")
    return
  }
  const manifest = await readManifest(library, options.manifest)
  const inspected = await withImages(library, path, part, (image, parts) =>
    library.client.imageDigests({ image, parts, ...manifest }),
  )
  const expected = `${draft.imageDigest}/${draft.manifestDigest ?? "no manifest"}`
  const found = `${inspected.imageDigest}/${inspected.manifestDigest ?? "no manifest"}`
  if (found !== expected) throw new ReleaseOfOtherImageError({ image: path, expected, found })
}
