import { FleetrootError } from "../../client/index.ts"

/** The chain's P-256 precompile gives wrong answers; nothing was deployed. */
export class PrecompileFlawedError extends FleetrootError {
  override name = "PrecompileFlawedError" as const
  override readonly code = "PRECOMPILE_FLAWED"
  /** The probe that failed. */
  readonly probe: string

  constructor({ probe, expected, found }: { probe: string; expected: string; found: string }) {
    super(
      `The P-256 precompile at 0x100 is wrong about a signature (${probe}): expected ${expected}, found ${found}.`,
      {
        hint: "The chain carries the older RIP-7212 with its known flaws. Deploy on a chain with EIP-7951, or without a precompile.",
        docs: "docs/errors.md#precompile-flawed",
      },
    )
    this.probe = probe
  }
}

/** What stands at an address after the deployment is not the code that was compiled. */
export class DeployedCodeMismatchError extends FleetrootError {
  override name = "DeployedCodeMismatchError" as const
  override readonly code = "DEPLOYED_CODE_MISMATCH"

  constructor({ contract, address, problem }: { contract: string; address: string; problem: string }) {
    super(`At ${address} there should be ${contract} as compiled: ${problem}.`, {
      hint: "Do not use this deployment. Compile afresh, and look at the node that it went through.",
      docs: "docs/errors.md#deployed-code-mismatch",
    })
  }
}
