import { encodeRawPublicKey } from "../cose/rawPublicKey.ts"
import { decodeRawPublicKey } from "../cose/rawPublicKey.ts"
import { ecdsaDerToRaw, normalizeLowS, splitRaw } from "../crypto/ecdsa.ts"
import { toHex } from "../crypto/hex.ts"
import { generateP256Key } from "../crypto/signer.ts"
import type { ExportableKeySigner, KeySigner } from "../crypto/signer.ts"
import type { Ledger, LedgerKey } from "../ledger/ledger.ts"
import { KeyMissingError } from "../errors/manufacturer.ts"
import { deviceRegistryAbi } from "../abi/DeviceRegistry.ts"
import { selfRevocationStatement } from "../ledger/statements.ts"
import type { LedgerWriter, Mined } from "../ledger/writer.ts"
import type { Receipt } from "../merkle/receipt.ts"
import { buildCsr } from "../x509/build.ts"
import type { SubjectName } from "../x509/nameEncoding.ts"
import { parseCertificate } from "../x509/certificate.ts"
import { readOneCertificate } from "../x509/pem.ts"

export type DeviceClientOptions = {
  /** The device's key. */
  signer: KeySigner
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
   * @throws KeyMissingError when its issuer is not an open issuer on the ledger.
   */
  async registerIssued(
    certificate: string | Uint8Array,
    { ledger, writer }: { ledger: Ledger; writer: LedgerWriter },
  ): Promise<Mined | null> {
    const { credentialHash, signatureValue, authorityKeyIdentifier } = parseCertificate(readOneCertificate(certificate))
    const view = await ledger.at("latest")
    const identifier = authorityKeyIdentifier === undefined ? undefined : toHex(authorityKeyIdentifier)
    const keys = identifier === undefined ? [] : await view.keysByIdentifier(identifier)
    const key = keys.find((candidate: LedgerKey) => candidate.purpose === "openIssuer" && candidate.proven)
    if (key === undefined) {
      throw new KeyMissingError({
        keyId: identifier ?? "(no authorityKeyIdentifier)",
        manufacturerId: 0,
        purpose: "openIssuer",
      })
    }
    const record = await view.record(key.manufacturerId, credentialHash)
    if (record.registeredAt !== undefined) return null
    const { r, s } = splitRaw(normalizeLowS(ecdsaDerToRaw(signatureValue, 32)))
    return writer.write({
      to: ledger.deployment.contracts.devices.address,
      abi: deviceRegistryAbi,
      functionName: "registerIssued",
      args: [key.manufacturerId, key.index, credentialHash, r, s],
    })
  }

  /**
   * Gives the device's raw public key up, for ever. Signed by the key itself; anybody may pay. Null if it is revoked already.
   *
   * @param reason RFC 5280 CRLReason; 1 is keyCompromise, 5 cessationOfOperation.
   */
  async revokeSelf(
    object: Uint8Array,
    { ledger, writer, receipt, reason }: { ledger: Ledger; writer: LedgerWriter; receipt: Receipt; reason: number },
  ): Promise<Mined | null> {
    const { payload, credentialHash } = decodeRawPublicKey(object)
    const { manufacturerId, series, index, proof } = receipt
    const record = await (await ledger.at("latest")).record(manufacturerId, credentialHash)
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
    })
  }
}
