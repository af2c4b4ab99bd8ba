/** A custom error of the contracts, as its interface explains it. */
export type ContractError = { name: string; parameters: string[]; notice: string; contract: string }

/** The custom errors that an interface declares, with their NatSpec. */
export function contractErrorsOf(contract: string, solidity: string): ContractError[] {
  return [...solidity.matchAll(/((?:^ *\/\/\/.*\n)+) *error (\w+)\(([^)]*)\);/gm)].map(([, comment, name, list]) => ({
    contract,
    name: name ?? "",
    parameters: (list ?? "")
      .split(",")
      .map((parameter) => parameter.trim().split(/\s+/).at(-1) ?? "")
      .filter((parameter) => parameter !== ""),
    notice: (comment ?? "")
      .replaceAll(/^ *\/\/\/ ?/gm, "")
      .replace("@notice ", "")
      .replaceAll(/\s+/g, " ")
      .trim(),
  }))
}

/** One line for the page: what was refused, why, and what to do about it. */
export function contractErrorLine({ name, parameters, notice }: ContractError, hint: string | undefined): string {
  const call = `\`${name}(${parameters.join(", ")})\``
  return hint === undefined ? `- ${call}: ${notice}` : `- ${call}: ${notice} _Do:_ ${hint}`
}
