import { verify } from "node:crypto"
import { openPkcs11Signer } from "../../../client/node/index.ts"

/** Signs with the TPM's key and checks the signature with Node's own crypto. Run by the test, through withTpm.sh. */
const token = await openPkcs11Signer({
  module: "/usr/lib/x86_64-linux-gnu/pkcs11/libtpm2_pkcs11.so",
  pin: "1234",
  tokenLabel: "device",
  keyLabel: "firmware",
})
const message = new TextEncoder().encode("to be signed")
const signature = await token.signer.sign(message)
const key = { key: Buffer.from(token.signer.spki), format: "der", type: "spki", dsaEncoding: "ieee-p1363" } as const
const good = verify("sha256", message, key, signature)
token.close()
process.stdout.write(good ? "signature good\n" : "signature bad\n")
