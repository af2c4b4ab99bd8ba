import type { Hex } from "../../client/index.ts"

/** Where a credential stands, as somebody found. */
export type CredentialPlace = {
  readonly manufacturerId: number
  readonly series: number
  readonly index: number
  /** The batch's root when it was found: of another batch, of the same series, it says nothing. */
  readonly root: Hex
}

export type FoundPlace = CredentialPlace | "contested"

/** Whoever can tell at once where credentials stand. */
export type PlaceFinder = {
  placesOf(credentialHash: Hex, manufacturerId: number): readonly CredentialPlace[]
}
