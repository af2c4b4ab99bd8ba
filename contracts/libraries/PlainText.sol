// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Texts that readers show to people: no control character of ASCII in them.
/// @dev 32 octets at a time, because a loop over single octets would cost a release thousands of gas. No sum below carries from one
/// octet into the next: each adds at most 0x7f + 0x60.
library PlainText {
    uint256 private constant HIGH_BITS = 0x8080808080808080808080808080808080808080808080808080808080808080;
    uint256 private constant LOW_BITS = 0x7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f;
    uint256 private constant SPACES = 0x2020202020202020202020202020202020202020202020202020202020202020;
    uint256 private constant TO_HIGH_BIT_FROM_20 = 0x6060606060606060606060606060606060606060606060606060606060606060;
    uint256 private constant TO_HIGH_BIT_FROM_7F = 0x0101010101010101010101010101010101010101010101010101010101010101;

    /// @notice Whether an octet of `text` is below 0x20, or is 0x7f. What the other octets are is not looked at: readers must still
    /// treat the text as foreign, and as UTF-8 that may be broken.
    function hasControl(string calldata text) internal pure returns (bool) {
        uint256 length = bytes(text).length;
        uint256 printable = HIGH_BITS;
        for (uint256 i = 0; i < length;) {
            uint256 word;
            // solhint-disable-next-line no-inline-assembly, for the reason above
            assembly ("memory-safe") {
                word := calldataload(add(text.offset, i))
            }
            unchecked {
                i += 32;
                // Let the octets past the end be spaces.
                if (i > length) {
                    uint256 past = (1 << (8 * (i - length))) - 1;
                    word = (word & ~past) | (SPACES & past);
                }
                uint256 low = word & LOW_BITS;
                printable &= ((low + TO_HIGH_BIT_FROM_20) & ~(low + TO_HIGH_BIT_FROM_7F)) | word;
            }
        }
        return printable & HIGH_BITS != HIGH_BITS;
    }
}
