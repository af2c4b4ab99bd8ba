import type { Handle, PKCS11, Template } from "pkcs11js"
import { derSequence, derUnsigned } from "../crypto/derWriter.ts"
import { equalBytes } from "../crypto/hex.ts"
import { keyIdOf } from "../crypto/keyId.ts"
import { encodePublicKey, KEY_ALGORITHM_IDENTIFIERS, parsePublicKey } from "../crypto/publicKey.ts"
import type { KeySigner } from "../crypto/signer.ts"
import { streamingHash } from "../crypto/streamingHash.ts"
import type { KeyAlgorithm } from "../crypto/types.ts"
import { FleetrootError } from "../errors/base.ts"
import {
  Pkcs11KeyError,
  Pkcs11ModuleError,
  Pkcs11OperationError,
  Pkcs11PinError,
  Pkcs11TokenError,
} from "../errors/pkcs11.ts"

export type Pkcs11SignerOptions = {
  /** Path of the token's library: of SoftHSM, of an HSM's maker, or `libtpm2_pkcs11.so` for a TPM 2.0. */
  module: string
  pin: string
  /** Default: the only token. */
  tokenLabel?: string
  /** Default: the only private key of the token. */
  keyLabel?: string
}

/** A signer whose private key stays in a token, until `close` ends the session. */
export type Pkcs11Signer = { readonly signer: KeySigner; close(): void }

type Library = typeof import("pkcs11js")
type Session = { readonly library: Library; readonly token: PKCS11; readonly handle: Handle }

const MOST_KEYS = 256
/** Room for any signature: RSA of 8192 bits. */
const MOST_SIGNATURE_BYTES = 1_024

/**
 * Opens a key in a token. Works for issuer keys and firmware keys alike: P-256, P-384, RSA.
 *
 * @throws {@link Pkcs11ModuleError} {@link Pkcs11TokenError} {@link Pkcs11PinError} {@link Pkcs11KeyError}
 *   {@link Pkcs11OperationError}
 */
export async function openPkcs11Signer(options: Pkcs11SignerOptions): Promise<Pkcs11Signer> {
  const library = await loadPackage()
  const { token, leave } = enterModule(library, options.module)
  let handle: Handle | undefined
  let open = true
  const close = (): void => {
    if (!open) return
    open = false
    // What fails while leaving concerns nobody any more.
    if (handle !== undefined) ignoring(() => token.C_CloseSession(handle as Handle))
    leave()
  }
  try {
    handle = logIn(library, token, options)
    const session = { library, token, handle }
    const key = findPrivateKey(session, options.keyLabel)
    const { algorithm, spki } = publicHalf(session, key)
    return {
      signer: {
        algorithm,
        spki,
        keyId: keyIdOf(spki),
        sign: async (message) => sign(session, key, algorithm, message),
      },
      close,
    }
  } catch (error) {
    close()
    throw error
  }
}

/** The package is optional: nobody without a token needs it, and it is compiled where it is installed. */
async function loadPackage(): Promise<Library> {
  try {
    const loaded = (await import("pkcs11js")) as Library & { default?: Library }
    return loaded.default ?? loaded
  } catch (cause) {
    throw new Pkcs11ModuleError({ module: "the package pkcs11js", problem: "it is not installed or not built", cause })
  }
}

/** A token's library has one state in each process: it is started by its first user and stopped by its last. */
const modules = new Map<string, { readonly token: PKCS11; users: number }>()

function enterModule(library: Library, path: string): { token: PKCS11; leave: () => void } {
  const module = modules.get(path) ?? { token: loadModule(library, path), users: 0 }
  module.users += 1
  modules.set(path, module)
  const { token } = module
  const leave = (): void => {
    module.users -= 1
    if (module.users > 0) return
    modules.delete(path)
    ignoring(() => token.C_Finalize())
    ignoring(() => token.close())
  }
  return { token, leave }
}

function loadModule(library: Library, path: string): PKCS11 {
  const token = new library.PKCS11()
  try {
    token.load(path)
  } catch (cause) {
    throw new Pkcs11ModuleError({ module: path, problem: "it is no PKCS#11 library", cause })
  }
  try {
    token.C_Initialize()
    return token
  } catch (cause) {
    // Somebody else in this process works with the same library.
    if (codeOf(cause) === library.CKR_CRYPTOKI_ALREADY_INITIALIZED) return token
    throw new Pkcs11ModuleError({ module: path, problem: `it cannot start: ${reasonOf(cause)}`, cause })
  }
}

function logIn(library: Library, token: PKCS11, { pin, tokenLabel }: Pkcs11SignerOptions): Handle {
  const slots = doing("list its slots", () => token.C_GetSlotList(true)).flatMap((slot) => {
    const info = doing("describe itself", () => token.C_GetTokenInfo(slot))
    return (info.flags & library.CKF_TOKEN_INITIALIZED) === 0 ? [] : [{ slot, label: info.label.trimEnd() }]
  })
  const fitting = slots.filter(({ label }) => tokenLabel === undefined || label === tokenLabel)
  const [only] = fitting
  if (only === undefined || fitting.length > 1) {
    const wanted = tokenLabel === undefined ? "to choose" : JSON.stringify(tokenLabel)
    throw new Pkcs11TokenError({ wanted, found: slots.map(({ label }) => label) })
  }
  const handle = doing("open a session", () => token.C_OpenSession(only.slot, library.CKF_SERIAL_SESSION))
  try {
    token.C_Login(handle, library.CKU_USER, pin)
  } catch (cause) {
    const code = codeOf(cause)
    if (code === library.CKR_USER_ALREADY_LOGGED_IN) return handle
    ignoring(() => token.C_CloseSession(handle))
    const pinErrors = [library.CKR_PIN_INCORRECT, library.CKR_PIN_INVALID, library.CKR_PIN_LEN_RANGE]
    if (code === library.CKR_PIN_LOCKED) throw new Pkcs11PinError({ reason: "it is locked" })
    if (code !== undefined && pinErrors.includes(code)) throw new Pkcs11PinError({ reason: "it is wrong" })
    throw new Pkcs11OperationError({ operation: "log in", reason: reasonOf(cause), cause })
  }
  return handle
}

function findPrivateKey({ library, token, handle }: Session, label: string | undefined): Handle {
  const template: Template = [
    { type: library.CKA_CLASS, value: library.CKO_PRIVATE_KEY },
    { type: library.CKA_SIGN, value: true },
    ...(label === undefined ? [] : [{ type: library.CKA_LABEL, value: label }]),
  ]
  const keys = find({ library, token, handle }, template)
  const [only] = keys
  const which = label === undefined ? "that signs" : JSON.stringify(label)
  if (only === undefined) throw new Pkcs11KeyError({ problem: `there is no private key ${which}` })
  if (keys.length > 1) throw new Pkcs11KeyError({ problem: `there are ${keys.length} private keys ${which}` })
  return only
}

function find({ token, handle }: Session, template: Template): Handle[] {
  return doing("look for a key", () => {
    token.C_FindObjectsInit(handle, template)
    try {
      return token.C_FindObjects(handle, MOST_KEYS)
    } finally {
      token.C_FindObjectsFinal(handle)
    }
  })
}

/** The SubjectPublicKeyInfo of the public key with the same CKA_ID: tokens tell points and moduli of public objects only. */
function publicHalf(session: Session, privateKey: Handle): { algorithm: KeyAlgorithm; spki: Uint8Array } {
  const { library } = session
  const id = attribute(session, privateKey, library.CKA_ID)
  const template: Template = [
    { type: library.CKA_CLASS, value: library.CKO_PUBLIC_KEY },
    { type: library.CKA_ID, value: Buffer.from(id) },
  ]
  const publicKeys = find(session, template)
  const [publicKey] = publicKeys
  if (publicKey === undefined) throw new Pkcs11KeyError({ problem: "its public half is not in the token" })
  if (publicKeys.length > 1)
    throw new Pkcs11KeyError({ problem: `there are ${publicKeys.length} public keys of its CKA_ID` })
  const found = readPublicKey(session, publicKey)
  try {
    parsePublicKey(found.spki)
    return found
  } catch (error) {
    if (error instanceof FleetrootError) throw new Pkcs11KeyError({ problem: error.message })
    throw error
  }
}

function readPublicKey(session: Session, key: Handle): { algorithm: KeyAlgorithm; spki: Uint8Array } {
  const { library } = session
  const keyType = littleEndian(attribute(session, key, library.CKA_KEY_TYPE))
  if (keyType === library.CKK_RSA) {
    const modulus = attribute(session, key, library.CKA_MODULUS)
    const exponent = attribute(session, key, library.CKA_PUBLIC_EXPONENT)
    const numbers = derSequence(derUnsigned(modulus), derUnsigned(exponent))
    return { algorithm: "rsa", spki: encodePublicKey("rsa", numbers) }
  }
  if (keyType !== library.CKK_EC) throw new Pkcs11KeyError({ problem: "it is neither an EC nor an RSA key" })

  const parameters = attribute(session, key, library.CKA_EC_PARAMS)
  for (const algorithm of ["p256", "p384"] as const) {
    // CKA_EC_PARAMS is the OBJECT IDENTIFIER of the curve, with which the AlgorithmIdentifier ends.
    if (!equalBytes(parameters, KEY_ALGORITHM_IDENTIFIERS[algorithm].subarray(11))) continue
    const point = pointOf(attribute(session, key, library.CKA_EC_POINT), algorithm === "p256" ? 65 : 97)
    return { algorithm, spki: encodePublicKey(algorithm, point) }
  }
  throw new Pkcs11KeyError({ problem: "its curve is neither P-256 nor P-384" })
}

/** CKA_EC_POINT is the point in an OCTET STRING; some tokens leave that out. */
function pointOf(value: Uint8Array, length: number): Uint8Array {
  return value.length === length + 2 && value[0] === 0x04 && value[1] === length ? value.slice(2) : value
}

function attribute({ token, handle }: Session, key: Handle, type: number): Uint8Array {
  const [found] = doing("describe its key", () => token.C_GetAttributeValue(handle, key, [{ type }]))
  if (!(found?.value instanceof Uint8Array)) throw new Pkcs11KeyError({ problem: "the token does not describe it" })
  return new Uint8Array(found.value)
}

/** Hashed here, because every token signs a hash and not every one hashes. ECDSA comes as r || s. PKCS#11 2.40, 2.3.6. */
function sign(
  { library, token, handle }: Session,
  key: Handle,
  algorithm: KeyAlgorithm,
  message: Uint8Array,
): Uint8Array {
  const hash = streamingHash(algorithm === "p384" ? "sha384" : "sha256")
  hash.update(message)
  const digest = hash.digest()
  const isRsa = algorithm === "rsa"
  // DigestInfo of SHA-256: RFC 8017, 9.2, note 1.
  const input = isRsa
    ? Buffer.from(`3031300d060960864801650304020105000420${hexOf(digest)}`, "hex")
    : Buffer.from(digest)
  return doing("sign", () => {
    token.C_SignInit(handle, { mechanism: isRsa ? library.CKM_RSA_PKCS : library.CKM_ECDSA }, key)
    return new Uint8Array(token.C_Sign(handle, input, Buffer.alloc(MOST_SIGNATURE_BYTES)))
  })
}

function doing<T>(operation: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    if (cause instanceof FleetrootError) throw cause
    throw new Pkcs11OperationError({ operation, reason: reasonOf(cause), cause })
  }
}

function ignoring(work: () => void): void {
  try {
    work()
  } catch {
    // Deliberately: see the callers.
  }
}

function codeOf(error: unknown): number | undefined {
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === "number" ? code : undefined
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** A CK_ULONG in the machine's order: all that have PKCS#11 libraries are little-endian. */
function littleEndian(bytes: Uint8Array): number {
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0)
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex")
}
