import { mkdirSync } from "node:fs"
import { homedir } from "node:os"
import { isAbsolute, join } from "node:path"
import { StateFolderError } from "../errors/node.ts"
import type { Deployment } from "../ledger/deployment.ts"
import { systemReason } from "./secretFile.ts"

/**
 * Where programs of this user keep what must outlive them: `FLEETROOT_STATE`, else `fleetroot` in the XDG state folder. The folder
 * is made when it is not there, for this user alone.
 *
 * @throws StateFolderError
 */
export function stateFolder(environment: NodeJS.ProcessEnv): string {
  const path = environment["FLEETROOT_STATE"] || join(xdgStateHome(environment), "fleetroot")
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new StateFolderError({ path, reason: systemReason(error), cause: error })
  }
  return path
}

/** A name for files about one deployment. A test chain that was started anew is another deployment, by its block's hash. */
export function deploymentName({ chainId, block, contracts }: Deployment): string {
  return `${chainId}-${contracts.devices.address.slice(2, 10)}-${block.hash.slice(2, 18)}`
}

function xdgStateHome(environment: NodeJS.ProcessEnv): string {
  const home = environment["XDG_STATE_HOME"]
  // The XDG Base Directory specification: relative paths are to be ignored.
  return home !== undefined && isAbsolute(home) ? home : join(homedir(), ".local", "state")
}
