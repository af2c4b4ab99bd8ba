import { isCborArray, isCborMap } from "../cose/cbor.ts"
import type { CborMap, CborValue } from "../cose/cbor.ts"
import { equalBytes } from "../crypto/hex.ts"
import { SuitMalformedError, SuitUnsupportedError } from "../errors/firmware.ts"
import { decodeSuit, readSuitDigest } from "./suitCbor.ts"
import type { SuitDigest } from "./suitCbor.ts"

/** What a manifest says about one of its components. */
export type SuitComponent = {
  readonly index: number
  /** What must be installed there; undefined if the manifest sets no digest for it. */
  readonly digest: SuitDigest | undefined
  /** Bytes of it. */
  readonly size: number | undefined
  readonly uri: string | undefined
}

/** A SUIT manifest, as far as it says which bytes it is about. Its conditions on the device are the device's business. */
export type SuitManifest = {
  readonly sequenceNumber: number
  readonly components: readonly SuitComponent[]
}

type Found = { digest: SuitDigest | undefined; size: number | undefined; uri: string | undefined }
type Walk = { readonly components: Found[]; commands: number }

const VERSION = 1
const SEQUENCE_NUMBER = 2
const COMMON = 3
const DEPENDENCIES = 1
const COMPONENTS = 2
const SHARED_SEQUENCE = 4
const DEPENDENCY_RESOLUTION = 15
/** validate, load, invoke, payload-fetch, candidate-verification, install. */
const SEQUENCES = [7, 8, 9, 16, 18, 20]

const SET_COMPONENT_INDEX = 12
const TRY_EACH = 15
const SET_PARAMETERS = 19
const OVERRIDE_PARAMETERS = 20
const RUN_SEQUENCE = 32

const IMAGE_DIGEST = 3
const IMAGE_SIZE = 14
const CONTENT = 18
const URI = 21

const MOST_COMPONENTS = 64
const MOST_COMMANDS = 4_096
const DEEPEST_SEQUENCE = 4

/**
 * Reads which digests, sizes and addresses a manifest sets for its components, in all of its command sequences.
 *
 * @param elements The manifest's map, severed parts put back.
 * @throws {@link SuitMalformedError} {@link SuitUnsupportedError} {@link ImageAlgorithmError}
 */
export function readSuitManifest(elements: CborMap): SuitManifest {
  const version = elements.get(VERSION)
  if (version !== 1) throw new SuitUnsupportedError({ feature: `manifest version ${numberText(version)}` })
  const sequenceNumber = elements.get(SEQUENCE_NUMBER)
  if (!isCount(sequenceNumber)) refuse("the sequence number is no number below 2^53")
  if (elements.has(DEPENDENCY_RESOLUTION)) throw new SuitUnsupportedError({ feature: "dependencies" })

  const common = commonOf(elements)
  const walk: Walk = { components: emptyComponents(common), commands: 0 }
  const shared = common.get(SHARED_SEQUENCE)
  if (shared !== undefined) walkSequence(walk, shared, 0)
  for (const key of SEQUENCES) {
    const sequence = elements.get(key)
    // A digest in its place: the part was cut off, and nothing of it is at hand.
    if (sequence !== undefined && !isCborArray(sequence)) walkSequence(walk, sequence, 0)
  }
  return { sequenceNumber, components: walk.components.map((component, index) => ({ index, ...component })) }
}

function commonOf(elements: CborMap): CborMap {
  const bytes = elements.get(COMMON)
  if (!(bytes instanceof Uint8Array)) refuse("the common part is missing")
  const common = decodeSuit(bytes, "the common part")
  if (!isCborMap(common)) refuse("the common part is no map")
  if (common.has(DEPENDENCIES)) throw new SuitUnsupportedError({ feature: "dependencies" })
  return common
}

function emptyComponents(common: CborMap): Found[] {
  const components = common.get(COMPONENTS)
  if (!isCborArray(components) || components.length === 0) refuse("it lists no components")
  if (components.length > MOST_COMPONENTS) refuse(`it lists more than ${MOST_COMPONENTS} components`)
  for (const id of components) {
    if (!isCborArray(id) || !id.every((part) => part instanceof Uint8Array))
      refuse("a component id is no list of bytes")
  }
  return components.map(() => ({ digest: undefined, size: undefined, uri: undefined }))
}

/** A sequence is a flat list of commands and arguments; each sequence starts with the first component. */
function walkSequence(walk: Walk, bytes: CborValue, depth: number, selected: readonly number[] = [0]): void {
  if (!(bytes instanceof Uint8Array)) refuse("a command sequence is no byte string")
  if (depth > DEEPEST_SEQUENCE) throw new SuitUnsupportedError({ feature: "sequences that deep" })
  const commands = decodeSuit(bytes, "a command sequence")
  if (!isCborArray(commands) || commands.length % 2 !== 0) refuse("a command sequence is no list of pairs")

  let current = selected
  for (let i = 0; i < commands.length; i += 2) {
    if (++walk.commands > MOST_COMMANDS) refuse(`it has more than ${MOST_COMMANDS} commands`)
    const command = commands[i]
    const argument = commands[i + 1]
    if (typeof command !== "number") refuse("a command is no number")
    switch (command) {
      case SET_COMPONENT_INDEX:
        current = indicesOf(argument, walk.components.length)
        break
      case SET_PARAMETERS:
      case OVERRIDE_PARAMETERS:
        setParameters(walk, current, argument)
        break
      case RUN_SEQUENCE:
        walkSequence(walk, argument, depth + 1, current)
        break
      case TRY_EACH:
        walkAlternatives(walk, argument, depth, current)
        break
      default: // conditions, and directives that change no parameter
    }
  }
}

function walkAlternatives(walk: Walk, argument: CborValue, depth: number, current: readonly number[]): void {
  if (!isCborArray(argument)) refuse("a list of alternatives is no list")
  for (const alternative of argument) {
    if (alternative !== null) walkSequence(walk, alternative, depth + 1, current)
  }
}

function indicesOf(argument: CborValue, count: number): readonly number[] {
  if (argument === true) return Array.from({ length: count }, (_, i) => i)
  const indices = isCborArray(argument) ? argument : [argument]
  return indices.map((index) => {
    if (!isCount(index) || index >= count) return refuse("a component index is out of range")
    return index
  })
}

function setParameters(walk: Walk, current: readonly number[], argument: CborValue): void {
  if (!isCborMap(argument)) refuse("parameters are no map")
  if (argument.has(CONTENT)) throw new SuitUnsupportedError({ feature: "content in the manifest" })
  const digest = argument.has(IMAGE_DIGEST) ? digestIn(argument.get(IMAGE_DIGEST)) : undefined
  const size = argument.get(IMAGE_SIZE)
  if (size !== undefined && !isCount(size)) refuse("an image size is no number below 2^53")
  const uri = argument.get(URI)
  if (uri !== undefined && typeof uri !== "string") refuse("a URI is no text")

  for (const index of current) {
    const component = walk.components[index] as Found
    if (digest !== undefined) component.digest = oneDigest(component.digest, digest)
    if (size !== undefined) component.size = oneSize(component.size, size)
    if (uri !== undefined) component.uri = uri
  }
}

function digestIn(value: CborValue): SuitDigest {
  if (!(value instanceof Uint8Array)) refuse("an image digest is no byte string")
  return readSuitDigest(decodeSuit(value, "an image digest"), "an image digest")
}

/** Where a component could be one image or another, no single digest says what is installed. */
function oneDigest(known: SuitDigest | undefined, next: SuitDigest): SuitDigest {
  if (known !== undefined && (known.algorithm !== next.algorithm || !equalBytes(known.value, next.value))) {
    throw new SuitUnsupportedError({ feature: "several digests for one component" })
  }
  return next
}

function oneSize(known: number | undefined, next: number): number {
  if (known !== undefined && known !== next) refuse("a component has two sizes")
  return next
}

function isCount(value: CborValue): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0
}

function numberText(value: CborValue): string {
  return typeof value === "number" ? String(value) : "of another type"
}

function refuse(problem: string): never {
  throw new SuitMalformedError({ problem })
}
