import { deviceRegistryAbi } from "../abi/DeviceRegistry.ts"
import { decodeRawPublicKey, encodeRawPublicKey } from "../cose/rawPublicKey.ts"
import { defaultCrypto } from "../crypto/defaultCrypto.ts"
import { ecdsaDerToRaw, normalizeLowS, splitRaw } from "../crypto/ecdsa.ts"
import { toHex } from "../crypto/hex.ts"
import type { Hex } from "../crypto/hex.ts"
import { generateP256Key } from "../crypto/signer.ts"
import type { ExportableKeySigner, KeySigner } from "../crypto/signer.ts"
import type { CryptoBackend } from "../crypto/types.ts"
import { CredentialTakenError, KeyMissingError } from "../errors/manufacturer.ts"
import type { Ledger, LedgerKey, LedgerView } from "../ledger/ledger.ts"
import { assertReason } from "../ledger/limits.ts"
import { selfRevocationStatement } from "../ledger/statements.ts"
import type { LedgerWriter, Mined } from "../ledger/writer.ts"
import { assertReceipt } from "../merkle/receipt.ts"
import type { Receipt } from "../merkle/receipt.ts"
import { buildCsr } from "../x509/build.ts"
import { parseCertificate } from "../x509/certificate.ts"
import type { Certificate } from "../x509/certificate.ts"
import type { SubjectName } from "../x509/nameEncoding.ts"
import { readOneCertificate } from "../x509/pem.ts"
import { verifyCertificateSignature } from "../x509/verifyCertificate.ts"

export type DeviceClientOptions = {
  /** The device's key. */
  signer: KeySigner
}

export type RegisterIssuedOptions = {
  ledger: Ledger
  writer: LedgerWriter
  /** Key id of the issuer, for certificates that do not say who issued them. */
  issuerKeyId?: Hex
  /** Checks the issuer's signature. Default: the fastest that the platform has. */
  crypto?: CryptoBackend
}

export type RevokeSelfOptions = {
  ledger: Ledger
  writer: LedgerWriter
  /** The object's place in its batch. */
  receipt: Receipt
  /** RFC 5280 CRLReason; 1 is keyCompromise, 5 cessationOfOperation. */
  reason: number
}

/** What a device does: make its key, ask for a certificate, put itself on the ledger, give itself up. */
export class DeviceClient {
  readonly signer: KeySigner

  constructor({ signer }: DeviceClientOptions) {
    this.signer = signer
  }

  /** A device with a fresh P-256 key. Keep `exportPkcs8` of its signer somewhere safe. */
  static async generate(): Promise<DeviceClient & { readonly signer: ExportableKeySigner }> {
    const signer = await generateP256Key()
    return Object.assign(new DeviceClient({ signer }), { signer })
  }

  /** A PKCS#10 certification request (RFC 2986), DER. */
  csr(subject: SubjectName): Promise<Uint8Array> {
    return buildCsr({ subject, signer: this.signer })
  }

  /** A raw public key object (docs/formats.md), for devices without X.509. Times are Unix seconds. */
  rawPublicKey(parameters: { notBefore: number; notAfter: number; deviceId: Uint8Array }): Promise<Uint8Array> {
    return encodeRawPublicKey({ ...parameters, spki: this.signer.spki, signer: this.signer })
  }

  /**
   * Puts the device's own certificate on the ledger. The certificate's signature is the authorisation, so anybody may pay. Null
   * if it is there already.
   *
   * @param options.issuerKeyId Key id of the issuer, for certificates that do not say who issued them.
   * @throws KeyMissingError when its issuer is not an open issuer on the ledger, or did not sign it.
   * @throws CredentialTakenError when it was registered under another key.
   */
  async registerIssued(
    certificate: string | Uint8Array,
    { ledger, writer, issuerKeyId, crypto = defaultCrypto() }: RegisterIssuedOptions,
  ): Promise<Mined | null> {
    const parsed = parseCertificate(readOneCertificate(certificate))
    const { credentialHash, signatureValue } = parsed
    const view = await ledger.at("latest")
    const key = await openIssuerOf(parsed, view, crypto, issuerKeyId)
    const record = await view.record(key.manufacturerId, credentialHash)
    if (record.registeredAt !== undefined) {
      if (record.keyIndex === key.index) return null
      throw new CredentialTakenError({ credentialHash, keyIndex: record.keyIndex })
    }
    const { r, s } = splitRaw(normalizeLowS(ecdsaDerToRaw(signatureValue, 32)))
    return writer.write({
      to: ledger.deployment.contracts.devices.address,
      abi: deviceRegistryAbi,
      functionName: "registerIssued",
      args: [key.manufacturerId, key.index, credentialHash, r, s],
      seenAt: view.block.number,
    })
  }

  /**
   * Gives the device's raw public key up, for ever. Signed by the key itself; anybody may pay. Null if it is revoked already.
   *
   * @param options.reason RFC 5280 CRLReason; 1 is keyCompromise, 5 cessationOfOperation.
   * @throws ReceiptMalformedError, RawPublicKeyError, NumberOutOfRangeError; ContractRevertedError (`CredentialUnproven`) for a
   *   receipt that is not this object's.
   */
  async revokeSelf(object: Uint8Array, { ledger, writer, receipt, reason }: RevokeSelfOptions): Promise<Mined | null> {
    assertReason(reason)
    assertReceipt(receipt)
    const { payload, credentialHash } = decodeRawPublicKey(object)
    const { manufacturerId, series, index, proof } = receipt
    const view = await ledger.at("latest")
    const record = await view.record(manufacturerId, credentialHash)
    if (record.mark === "revoked") return null
    const registry = ledger.deployment.contracts.devices.address
    const statement = selfRevocationStatement(
      { chainId: ledger.deployment.chainId, verifyingContract: registry },
      { manufacturerId, credentialHash, reason },
    )
    const { r, s } = splitRaw(normalizeLowS(await this.signer.sign(statement)))
    return writer.write({
      to: registry,
      abi: deviceRegistryAbi,
      functionName: "revokeSelf",
      args: [manufacturerId, toHex(payload), series, index, proof.map(toHex), reason, r, s],
      // The signature is another one each time.
      intent: `self-revocation of ${credentialHash}, manufacturer ${manufacturerId}`,
      seenAt: view.block.number,
    })
  }
}

/** The open issuer's key on the ledger that signed a certificate. */
async function openIssuerOf(
  certificate: Certificate,
  view: LedgerView,
  crypto: CryptoBackend,
  issuerKeyId: Hex | undefined,
): Promise<LedgerKey> {
  const { authorityKeyIdentifier } = certificate
  const identifier = authorityKeyIdentifier === undefined ? undefined : toHex(authorityKeyIdentifier)
  const named = issuerKeyId === undefined ? undefined : await view.keyById(issuerKeyId)
  const candidates = named === undefined && identifier !== undefined ? await view.keysByIdentifier(identifier) : [named]
  for (const key of candidates) {
    if (key?.purpose !== "openIssuer" || !key.proven) continue
    if (await verifyCertificateSignature(certificate, key.spki, crypto)) return key
  }
  const keyId = issuerKeyId ?? identifier ?? "(the certificate names none)"
  throw new KeyMissingError({ keyId, manufacturerId: named?.manufacturerId ?? 0, purpose: "openIssuer" })
}
