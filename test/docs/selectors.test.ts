import { toFunctionSelector } from "viem"
import { describe, expect, it } from "vitest"
import { manufacturerRegistryAbi } from "../../client/abi/ManufacturerRegistry.ts"

// docs/decisions/0013: the compiler compares selectors one by one, in ascending order.
describe("ManufacturerRegistry", () => {
  it("finds first what other registries call on every registration and every status", () => {
    const sorted = manufacturerRegistryAbi
      .filter((item) => item.type === "function")
      .map((item) => ({ name: item.name, selector: toFunctionSelector(item) }))
      .sort((a, b) => (a.selector < b.selector ? -1 : 1))
      .map(({ name }) => name)

    expect(sorted.slice(0, 2)).toEqual(["requireOperator", "requireRegistration"])
    expect(sorted.indexOf("keyStanding")).toBeLessThan(8)
  })
})
