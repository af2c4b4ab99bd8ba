// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Where a device's status bit is: index i is bit i mod 256 (from the least significant) of word i / 256.
library StatusBitmap {
    /// @notice The word and the mask of `index`.
    function locate(uint256 index) internal pure returns (uint256 word, uint256 mask) {
        return (index >> 8, 1 << (index & 0xff));
    }

    /// @notice The bits of `word` that belong to a batch of `size`; none if the word lies past its end.
    function validBits(uint256 word, uint256 size) internal pure returns (uint256) {
        uint256 first = word << 8;
        if (first >= size) return 0;
        uint256 places = size - first;
        return places >= 256 ? type(uint256).max : (1 << places) - 1;
    }

    /// @notice The position of the highest set bit of `bits`, which is not 0.
    function highest(uint256 bits) internal pure returns (uint256) {
        return Math.log2(bits);
    }

    /// @notice How many bits of `bits` are set.
    function count(uint256 bits) internal pure returns (uint256 n) {
        // Hacker's Delight, 5-1: sums of neighbours, in parallel. No step can overflow its field but the last multiplication,
        // which is meant to wrap; 256 set bits would wrap its top byte to 0, so they are told apart first.
        if (bits == type(uint256).max) return 256;
        unchecked {
            bits -= (bits >> 1) & 0x5555555555555555555555555555555555555555555555555555555555555555;
            bits =
                (bits & 0x3333333333333333333333333333333333333333333333333333333333333333) +
                ((bits >> 2) & 0x3333333333333333333333333333333333333333333333333333333333333333);
            bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f;
            return (bits * 0x0101010101010101010101010101010101010101010101010101010101010101) >> 248;
        }
    }
}
