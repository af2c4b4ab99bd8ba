/** The part of `node:crypto` that this library uses, where it exists. */
type NodeCrypto = Pick<typeof import("node:crypto"), "createPublicKey" | "verify" | "constants"> & {
  readonly createHash?: typeof import("node:crypto").createHash
  readonly hash: (algorithm: "sha256", input: Uint8Array, encoding: "latin1" | "hex") => string
}

type Host = { process?: { getBuiltinModule?: (name: string) => Partial<NodeCrypto> | undefined } }

/**
 * Node's own crypto module, or undefined in browsers and other runtimes.
 *
 * Asked of the process instead of imported, so that bundles for browsers need no stand-in. Runtimes that imitate
 * Node in part count as having none.
 */
export const nodeCrypto: NodeCrypto | undefined = findNodeCrypto(globalThis)

/** Looks for the module in `host`; undefined unless all that is used is there. */
export function findNodeCrypto(host: Host): NodeCrypto | undefined {
  const found = host.process?.getBuiltinModule?.("node:crypto")
  const complete =
    typeof found?.hash === "function" &&
    typeof found.verify === "function" &&
    typeof found.createPublicKey === "function"
  return complete ? (found as NodeCrypto) : undefined
}
