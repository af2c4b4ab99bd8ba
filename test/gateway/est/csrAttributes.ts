import {
  DER,
  derBitString,
  derElement,
  derOctetString,
  derSequence,
  derUnsigned,
  ecdsaRawToDer,
  fromHex,
  generateP256Key,
  parseCsr,
  signatureAlgorithmIdentifier,
} from "../../../client/index.ts"
import type { Hex, KeySigner } from "../../../client/index.ts"
import { deviceCsr } from "./estBed.ts"

export type Attribute = { readonly oid: Hex; readonly value: Uint8Array }

/** An attribute with one value; its type as a whole DER element. */
export function attribute(oid: Hex, value: Uint8Array): Attribute {
  return { oid, value }
}

/** DecryptKeyIdentifier. RFC 7030, 4.4.1.1. */
export function sharedKey(identifier: Uint8Array): Attribute {
  return attribute("0x060b2a864886f70d0109100225", derOctetString(identifier))
}

/** AsymmetricDecryptKeyIdentifier. RFC 7030, 4.4.1.2. */
export function certificateKey(identifier: Uint8Array): Attribute {
  return attribute("0x060b2a864886f70d0109100236", derOctetString(identifier))
}

/** SMIMECapabilities, of OIDs as whole elements. */
export function capabilities(...oids: Hex[]): Attribute {
  return attribute("0x06092a864886f70d01090f", derSequence(...oids.map((oid) => derSequence(fromHex(oid)))))
}

/** A challengePassword, as a UTF8String unless another tag is given. */
export function challenge(text: string, tag = 0x0c): Attribute {
  return attribute("0x06092a864886f70d010907", derElement(tag, new TextEncoder().encode(text)))
}

/** A device's request with these attributes, by a P-256 key. */
export async function csrWith(
  commonName: string,
  attributes: readonly Attribute[],
  key?: KeySigner,
): Promise<{ csr: Uint8Array; signer: KeySigner }> {
  const { csr: plain, signer } = await deviceCsr(commonName, key ?? (await generateP256Key()))
  const all = attributes.map(({ oid, value }) => derSequence(fromHex(oid), derElement(DER.set, value)))
  const version = derUnsigned(Uint8Array.of(0))
  const info = derSequence(version, parseCsr(plain).subjectDer, signer.spki, derElement(0xa0, ...all))
  const signature = derBitString(ecdsaRawToDer(await signer.sign(info)))
  return { csr: derSequence(info, signatureAlgorithmIdentifier("p256"), signature), signer }
}
