import { equalBytes, toHex } from "../crypto/hex.ts"
import {
  ImageDigestMismatchError,
  ImageTooLongError,
  ImageTruncatedError,
  SuitComponentError,
} from "../errors/firmware.ts"
import { DigestSet } from "./imageDigests.ts"
import type { ImageDigests } from "./imageDigests.ts"
import { ImageReader } from "./imageReader.ts"
import type { ImageReaderOptions } from "./imageReader.ts"
import type { ImageInput } from "./imageSource.ts"
import { digestMatches } from "./suitCbor.ts"
import type { SuitDigest } from "./suitCbor.ts"
import type { SuitEnvelope } from "./suitEnvelope.ts"
import type { SuitComponent } from "./suitManifest.ts"

/** A component of which the manifest says what it must be. */
type Wanted = SuitComponent & { readonly digest: SuitDigest }

/**
 * Checks that the files are the manifest's components, all of them and nothing else.
 *
 * @returns the SHA-256 by which the ledger knows the release: that of the file where there is one component, that of the manifest,
 *   which names all the others, where there are several.
 * @throws {@link SuitComponentError} {@link ImageDigestMismatchError} {@link ImageTruncatedError} {@link ImageTooLongError}
 */
export async function checkSuitFiles(
  { manifest, manifestDigest, payloads }: SuitEnvelope,
  files: readonly ImageInput[],
  reading: ImageReaderOptions,
): Promise<Uint8Array> {
  const wanted = manifest.components.filter((component): component is Wanted => component.digest !== undefined)
  const [only, ...others] = wanted
  if (only === undefined) throw new SuitComponentError({ problem: "The manifest names the digest of no component" })
  assertNamed(wanted, payloads)
  const inputs = [...files, ...payloads.values()]
  if (inputs.length !== wanted.length) {
    const problem = `The manifest names ${wanted.length} files; ${inputs.length} were given or are in the envelope`
    throw new SuitComponentError({ problem })
  }
  if (others.length === 0) {
    const [file] = inputs
    return (await readFile(file as ImageInput, [only], reading)).sha256
  }
  const missing = new Set(wanted)
  for (const file of inputs) {
    const digests = await readFile(file, [...missing], reading)
    const found = [...missing].find((component) => isOf(component, digests))
    missing.delete(found as Wanted)
  }
  return manifestDigest
}

/** What travels in the envelope must be what the manifest fetches by that name: nothing else signs the name. */
function assertNamed(wanted: readonly Wanted[], payloads: SuitEnvelope["payloads"]): void {
  for (const [name, bytes] of payloads) {
    const named = wanted.some(({ uri, digest }) => uri === name && digestMatches(digest, bytes))
    if (!named) throw new SuitComponentError({ problem: "The manifest fetches no such payload from its envelope" })
  }
}

/** Reads one file, which must be one of these components. */
async function readFile(
  file: ImageInput,
  components: readonly Wanted[],
  reading: ImageReaderOptions,
): Promise<ImageDigests> {
  const hashes = new DigestSet(components.map(({ digest }) => digest.algorithm))
  const sizes = components.map(({ size }) => size)
  const largest = sizes.every((size) => size !== undefined) ? Math.max(...sizes) : undefined
  const reader = new ImageReader(file, reading)
  try {
    await reader.passRest((part) => {
      if (largest !== undefined && reader.position > largest) {
        throw new ImageTooLongError({ limit: largest, why: "the size in its manifest" })
      }
      hashes.update(part)
    })
  } finally {
    await reader.close()
  }
  const digests = hashes.digests()
  assertOneOf(components, digests, reader.position)
  return digests
}

function assertOneOf(components: readonly Wanted[], digests: ImageDigests, length: number): void {
  const [only, ...others] = components
  const found = components.find((component) => isOf(component, digests))
  if (only !== undefined && others.length === 0) {
    const { size, digest } = only
    if (size !== undefined && length < size) {
      throw new ImageTruncatedError({ what: "the component", needed: size, left: length })
    }
    if (found === undefined) {
      const computed = toHex(digests[digest.algorithm] ?? digests.sha256)
      const what = `Component ${only.index}'s ${digest.algorithm}`
      throw new ImageDigestMismatchError({ what, expected: toHex(digest.value), found: computed })
    }
  }
  if (found === undefined) throw new SuitComponentError({ problem: "A file is none of the manifest's components" })
  if (found.size !== undefined && found.size !== length) {
    const problem = `Component ${found.index} should have ${found.size} bytes; the file has ${length}`
    throw new SuitComponentError({ problem })
  }
}

function isOf({ digest }: Wanted, digests: ImageDigests): boolean {
  const computed = digests[digest.algorithm]
  return computed !== undefined && equalBytes(computed, digest.value)
}
