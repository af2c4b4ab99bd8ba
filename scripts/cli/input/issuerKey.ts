import type { KeySigner } from "../../../client/index.ts"
import { KeyPairMismatchError, UsageError } from "../cliError.ts"
import type { OpenLedger } from "../openLedger.ts"
import { promptSecret } from "../output/promptSecret.ts"

type Library = Pick<OpenLedger, "client" | "node">

const MAX_BYTES = 64 * 1024
const OTHERS = 0o077

/**
 * A manufacturer's signing key in a file: PEM or DER, PKCS#8, SEC1 or PKCS#1, encrypted or not. It may be the test CA of a walk
 * through the manual, so a file that others can read draws a warning, not a refusal; account keys are refused (client/node).
 *
 * @throws PrivateKeyInvalidError, InputPathError, FleetFileError
 */
export async function readIssuerKey({ client, node }: Library, path: string): Promise<KeySigner> {
  const bytes = await node.readRegularFile(path, { maximumBytes: MAX_BYTES })
  await warnIfExposed(path)
  const text = new TextDecoder().decode(bytes)
  if (!/BEGIN ENCRYPTED PRIVATE KEY|Proc-Type: 4,ENCRYPTED/.test(text)) return client.signerFromPkcs8(bytes)
  return client.signerFromPkcs8(await decrypt(path, text))
}

/** Checks that a certificate or public key belongs to a private key. @throws KeyPairMismatchError */
export function assertKeyPair(
  { client }: Pick<Library, "client">,
  signer: KeySigner,
  spki: Uint8Array,
  files: { publicFile: string; keyFile: string },
): void {
  if (!client.equalBytes(signer.spki, spki)) throw new KeyPairMismatchError(files)
}

async function warnIfExposed(path: string): Promise<void> {
  if (process.platform === "win32") return
  const { stat } = await import("node:fs/promises")
  const { mode } = await stat(path)
  if ((mode & OTHERS) === 0) return
  process.stderr.write(
    `warning: ${JSON.stringify(path)} has mode 0${(mode & 0o777).toString(8)}: others on this machine may read the issuer's key. Run chmod 600.\n`,
  )
}

async function decrypt(path: string, text: string): Promise<Uint8Array> {
  const passphrase = process.env["FLEETROOT_KEY_PASSPHRASE"] ?? (await promptSecret(`Passphrase of ${path}: `))
  if (passphrase === undefined) {
    throw new UsageError(`${path} is encrypted, and there is no terminal to ask for its passphrase on.`, {
      hint: "Set FLEETROOT_KEY_PASSPHRASE.",
    })
  }
  const { createPrivateKey } = await import("node:crypto")
  try {
    return new Uint8Array(createPrivateKey({ key: text, passphrase }).export({ type: "pkcs8", format: "der" }))
  } catch {
    // The platform's words may quote the input.
    throw new UsageError(`The passphrase does not open ${path}.`)
  }
}
