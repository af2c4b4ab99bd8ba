/** The chain id of Hardhat and Anvil; no public chain has it. */
export const TESTNET_CHAIN_ID = 31_337

/**
 * The first of the development accounts that Hardhat and Anvil fund: "test test … junk". Everybody knows this key; it is worth
 * nothing anywhere else.
 */
export const TESTNET_PRIVATE_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"

/** Its address. */
export const TESTNET_ADDRESS = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
