import { createHash } from "node:crypto"
import type { Issuer } from "../issuers/issuer.ts"
import { publicKeyBits } from "../issuers/publicKeyBits.ts"
import type { CertId, CertIdHash } from "./codec.ts"

/** The hashes that CertIDs use. RFC 9919 recommends SHA-256; nginx, OpenSSL and GnuTLS ask with SHA-1. */
export const CERT_ID_HASHES = ["sha1", "sha256", "sha384", "sha512"] as const satisfies readonly CertIdHash[]

/** How an issuer is named in CertIDs of one hash. */
export function issuerHashes(
  issuer: Issuer,
  hash: CertIdHash,
): { readonly issuerNameHash: Uint8Array; readonly issuerKeyHash: Uint8Array } {
  const digest = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash(hash).update(bytes).digest())
  const { subjectDer, spki } = issuer.certificate
  return { issuerNameHash: digest(subjectDer), issuerKeyHash: digest(publicKeyBits(spki)) }
}

/** Finds the issuer that a CertID means, by any of the four hashes. */
export class ResponderBook {
  readonly #byHashes = new Map<string, Issuer>()

  constructor(issuers: readonly Issuer[]) {
    for (const issuer of issuers) {
      for (const hash of CERT_ID_HASHES) {
        this.#byHashes.set(keyOf({ hash, ...issuerHashes(issuer, hash) }), issuer)
      }
    }
  }

  find(certId: CertId): Issuer | undefined {
    return certId.hash === undefined ? undefined : this.#byHashes.get(keyOf(certId))
  }
}

function keyOf({ hash, issuerNameHash, issuerKeyHash }: Pick<CertId, "hash" | "issuerNameHash" | "issuerKeyHash">) {
  return `${hash}:${Buffer.from(issuerNameHash).toString("base64")}:${Buffer.from(issuerKeyHash).toString("base64")}`
}
