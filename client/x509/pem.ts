import { PemBlockMissingError, PemBlocksManyError } from "../errors/x509.ts"
import { decodePem } from "../crypto/pem.ts"
import { DER } from "../crypto/strictDer.ts"

export { decodePem, encodePem } from "../crypto/pem.ts"
export type { PemBlock } from "../crypto/pem.ts"

/**
 * The DER of the one certificate in `input`: PEM text (other kinds of block may stand beside it), PEM as bytes, or DER.
 *
 * @throws {@link PemBlockMissingError} {@link PemBlocksManyError} {@link PemMalformedError}
 */
export function readOneCertificate(input: string | Uint8Array): Uint8Array {
  return readOne(input, "CERTIFICATE")
}

/**
 * The DER of the one certificate request in `input`, PEM or DER.
 *
 * @throws {@link PemBlockMissingError} {@link PemBlocksManyError} {@link PemMalformedError}
 */
export function readOneCsr(input: string | Uint8Array): Uint8Array {
  return readOne(input, "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
}

// `oldLabel`: some tools still write it (RFC 7468, 7).
function readOne(input: string | Uint8Array, label: string, oldLabel?: string): Uint8Array {
  if (typeof input !== "string" && input[0] === DER.sequence) return plainBytes(input)

  const text = typeof input === "string" ? input : new TextDecoder().decode(input)
  const blocks = decodePem(text, label)
  if (oldLabel !== undefined) blocks.push(...decodePem(text, oldLabel))
  const [block] = blocks
  if (block === undefined) throw new PemBlockMissingError({ label, found: labelsIn(text) })
  if (blocks.length > 1) throw new PemBlocksManyError({ label, count: blocks.length })
  return block.der
}

function labelsIn(text: string): string[] {
  return Array.from(text.matchAll(/^-----BEGIN ([^-\r\n]{1,64})-----/gm), (match) => match[1] as string)
}

/** The same bytes, as a plain Uint8Array: a Node Buffer's slices would be Buffers too. */
function plainBytes(bytes: Uint8Array): Uint8Array {
  return bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
