// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {PlainText} from "../../contracts/libraries/PlainText.sol";
import {Statement} from "../../contracts/libraries/Statement.sol";

/// @title The hand-written assembly of texts and statements, against its plain twins.
contract PlainTextTest {
    function hasControl(string calldata text) external pure returns (bool) {
        return PlainText.hasControl(text);
    }

    /// @dev The text lies before other arguments, so that reading past its end would be seen.
    function hasControlBefore(string calldata text, bytes calldata behind) external pure returns (bool) {
        behind;
        return PlainText.hasControl(text);
    }

    function test_hasControl_judgesEveryOctetAtEveryPlace() public view {
        uint8[7] memory lengths = [1, 2, 31, 32, 33, 64, 65];
        for (uint256 i = 0; i < lengths.length; ++i) {
            bytes memory text = new bytes(lengths[i]);
            for (uint256 j = 0; j < text.length; ++j) text[j] = "a";
            for (uint256 j = 0; j < text.length; ++j) {
                // All octets at the ends of words, those on the edges elsewhere.
                bool atEnd = j % 32 == 0 || j % 32 == 31 || j + 1 == text.length;
                for (uint256 octet = 0; octet < 256; ++octet) {
                    if (!atEnd && !_isOnEdge(octet)) continue;
                    text[j] = bytes1(uint8(octet));
                    require(this.hasControl(string(text)) == (octet < 0x20 || octet == 0x7f), "judged wrongly");
                }
                text[j] = "a";
            }
        }
    }

    function testFuzz_hasControl_equalsItsPlainTwin(bytes memory text, uint8 shift, bytes memory behind) public view {
        // Few random texts have no control character: move them out of the way, half of the time.
        if (shift & 1 == 0) {
            for (uint256 i = 0; i < text.length; ++i) if (_isControl(text[i])) text[i] = bytes1(uint8(0x80 | i));
        }
        bool expected = false;
        for (uint256 i = 0; i < text.length; ++i) expected = expected || _isControl(text[i]);
        require(this.hasControl(string(text)) == expected, "twins disagree");
        require(this.hasControlBefore(string(text), behind) == expected, "twins disagree before other arguments");
    }

    function test_hasControl_findsNothingInNothing() public view {
        require(!this.hasControl(""), "an empty text");
        require(!this.hasControlBefore("", hex"000102"), "an empty text before control characters");
        require(!this.hasControlBefore("a", hex"000102"), "a text before control characters");
    }

    function testFuzz_digest_equalsItsPlainTwin(bytes32 domain, bytes32 statement) public view {
        require(
            Statement.digest(domain, statement) == sha256(abi.encodePacked(hex"1901", domain, statement)),
            "twins disagree"
        );
    }

    function _isControl(bytes1 octet) private pure returns (bool) {
        return octet < 0x20 || octet == 0x7f;
    }

    function _isOnEdge(uint256 octet) private pure returns (bool) {
        return octet == 0 || octet == 0x1f || octet == 0x20 || octet == 0x7e || octet == 0x7f || octet == 0x80;
    }
}
