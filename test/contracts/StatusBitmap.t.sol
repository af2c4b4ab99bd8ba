// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Assertions} from "./helpers/Assertions.sol";
import {ILibraryDoor} from "./helpers/Doors.sol";

/// @notice Which bit belongs to which device (S2, S3).
contract StatusBitmapTest is Assertions {
    ILibraryDoor private door = ILibraryDoor(mustCreate(LIBRARY_DOOR, ""));

    function test_locate_givesEachIndexABitOfItsOwn() public view {
        for (uint256 index = 0; index < 1_024; ++index) checkIndex(index);
        for (uint256 k = 1; k < 256; ++k) {
            checkIndex((1 << k) - 1);
            checkIndex(1 << k);
            checkIndex((1 << k) + 1);
        }
    }

    function testFuzz_locate_isTheInverseOfReading(uint256 index) public view {
        checkIndex(index);
    }

    function testFuzz_locate_keepsIndicesApart(uint256 a, uint256 b) public view {
        (uint256 wordA, uint256 maskA) = door.locate(a);
        (uint256 wordB, uint256 maskB) = door.locate(b);
        isTrue((wordA == wordB && maskA == maskB) == (a == b), "two indices, two bits");
    }

    function testFuzz_validBits_areThoseOfIndicesBelowTheSize(uint256 wordSeed, uint32 size) public view {
        uint256 word = between(wordSeed, 0, (uint256(size) >> 8) + 2);
        uint256 bits = door.validBits(word, size);
        for (uint256 i = 0; i < 256; ++i) {
            isTrue((bits >> i) & 1 == (word * 256 + i < size ? 1 : 0), "valid bit");
        }
    }

    function test_validBits_atTheEdgesOfWords() public view {
        equal(door.validBits(0, 0), 0, "nothing");
        equal(door.validBits(0, 1), 1, "one");
        equal(door.validBits(0, 255), type(uint256).max >> 1, "all but one");
        equal(door.validBits(0, 256), type(uint256).max, "a full word");
        equal(door.validBits(1, 256), 0, "past a full word");
        equal(door.validBits(1, 257), 1, "one in the second word");
        equal(door.validBits((1 << 24) - 1, type(uint32).max), type(uint256).max >> 1, "the last word");
    }

    function testFuzz_count_countsOneByOne(uint256 bits) public view {
        checkCount(bits);
        checkCount(bits & (bits >> 7) & (bits << 3));
        checkCount(~(bits & (bits >> 7) & (bits << 3)));
    }

    function test_count_ofRuns() public view {
        checkCount(0);
        checkCount(type(uint256).max);
        for (uint256 k = 0; k < 256; ++k) {
            checkCount(1 << k);
            checkCount(type(uint256).max >> k);
            checkCount(type(uint256).max << k);
            checkCount(type(uint256).max ^ (1 << k));
        }
    }

    function testFuzz_highest_isTheHighest(uint256 bits) public view {
        if (bits == 0) return;
        uint256 highest = door.highest(bits);
        equal(bits >> highest, 1, "nothing above");
    }

    function checkIndex(uint256 index) private view {
        (uint256 word, uint256 mask) = door.locate(index);
        equal(word, index / 256, "word");
        equal(mask, 2 ** (index % 256), "mask");
    }

    function checkCount(uint256 bits) private view {
        uint256 expected = 0;
        for (uint256 i = 0; i < 256; ++i) expected += (bits >> i) & 1;
        equal(door.count(bits), expected, "set bits");
    }
}
