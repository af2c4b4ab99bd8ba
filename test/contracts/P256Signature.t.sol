// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ILibraryDoor} from "./helpers/Doors.sol";
import {World} from "./helpers/World.sol";
import {vm} from "./helpers/Vm.sol";

/// @notice One verdict whatever the precompile does (X1, X2, X3). Vectors from outside: p256Vectors.test.ts.
contract P256SignatureTest is World {
    address private constant PRECOMPILE = address(0x100);
    uint256 private constant P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffff;

    ILibraryDoor private door = ILibraryDoor(mustCreate(LIBRARY_DOOR, ""));

    function testFuzz_verify_acceptsItsOwnKeyOnly(uint256 keySeed, bytes32 digest, uint256 change) public view {
        uint256 privateKey = between(keySeed, 1, N - 1);
        (uint256 x, uint256 y) = vm.publicKeyP256(privateKey);
        (bytes32 r, bytes32 s) = sign(privateKey, digest);

        isTrue(door.verifySignature(digest, r, s, bytes32(x), bytes32(y)), "own key");
        isTrue(!door.verifySignature(digest, r, bytes32(N - uint256(s)), bytes32(x), bytes32(y)), "high s");
        bytes32 bit = bytes32(1 << (change % 256));
        isTrue(!door.verifySignature(digest ^ bit, r, s, bytes32(x), bytes32(y)), "other digest");
        isTrue(!door.verifySignature(digest, r ^ bit, s, bytes32(x), bytes32(y)), "other r");
        isTrue(!door.verifySignature(digest, r, s ^ bit, bytes32(x), bytes32(y)), "other s");
        isTrue(!door.verifySignature(digest, r, s, bytes32(x) ^ bit, bytes32(y)), "other x");
        isTrue(!door.verifySignature(digest, r, s, bytes32(x), bytes32(y) ^ bit), "other y");
        isTrue(!door.verifySignature(digest, s, r, bytes32(x), bytes32(y)) || r == s, "r and s swapped");
    }

    function test_verify_refusesScalarsAndPointsOutOfRange() public view {
        bytes32 digest = keccak256("message");
        (uint256 px, uint256 py) = vm.publicKeyP256(ISSUER);
        (bytes32 x, bytes32 y) = (bytes32(px), bytes32(py));
        (bytes32 r, bytes32 s) = sign(ISSUER, digest);
        isTrue(door.verifySignature(digest, r, s, x, y), "the signature itself");

        bytes32[6] memory scalars = [
            bytes32(0),
            bytes32(N),
            bytes32(N + 1),
            bytes32(N - 1),
            bytes32(type(uint256).max),
            bytes32(P)
        ];
        for (uint256 i = 0; i < scalars.length; ++i) {
            isTrue(!door.verifySignature(digest, scalars[i], s, x, y), "r out of range");
            isTrue(!door.verifySignature(digest, r, scalars[i], x, y), "s out of range");
        }
        isTrue(!door.verifySignature(digest, r, s, 0, 0), "infinity");
        isTrue(!door.verifySignature(digest, r, s, x, bytes32(P - py)), "the mirrored point");
        isTrue(!door.verifySignature(digest, r, s, x, bytes32(type(uint256).max)), "y out of range");
        isTrue(!door.verifySignature(digest, r, s, bytes32(P), y), "x out of range");
        isTrue(!door.verifySignature(digest, r, s, bytes32(uint256(5)), bytes32(uint256(1))), "not on the curve");
    }

    /// (0, y) is on the curve for one y; (p, y) writes the same point with a coordinate that is out of range.
    function test_verify_refusesCoordinatesThatAreNotReduced() public view {
        bytes32 y = 0x66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4;
        isTrue(
            mulmod(uint256(y), uint256(y), P) == 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b,
            "the test's own point is on the curve"
        );
        isTrue(!door.verifySignature(keccak256("m"), bytes32(uint256(1)), bytes32(uint256(1)), bytes32(P), y), "x = p");
    }

    /// X1: present, absent, reverting, lying: the verdict is the same.
    function test_verify_doesNotDependOnThePrecompile() public {
        bytes[12] memory answers = [
            bytes(""),
            abi.encode(uint256(0)),
            abi.encode(uint256(2)),
            abi.encode(type(uint256).max),
            abi.encode(uint256(1) << 248),
            bytes.concat(abi.encode(uint256(0)), hex"01"),
            bytes.concat(abi.encode(uint256(1)), hex"00"),
            bytes.concat(bytes31(0)),
            bytes.concat(bytes30(0), hex"01"),
            abi.encode(uint256(1), uint256(1)),
            abi.encode(uint256(0), uint256(1)),
            hex"01"
        ];
        checkVerdicts();
        for (uint256 i = 0; i < answers.length; ++i) {
            vm.mockCall(PRECOMPILE, "", answers[i]);
            checkVerdicts();
            vm.clearMockedCalls();
        }
        bytes[3] memory reasons = [bytes(""), abi.encode(uint256(1)), bytes("no such precompile")];
        for (uint256 i = 0; i < reasons.length; ++i) {
            vm.mockCallRevert(PRECOMPILE, "", reasons[i]);
            checkVerdicts();
            vm.clearMockedCalls();
        }
        checkVerdicts();
    }

    /// X1: a precompile that fails for one question only (the possibility that a probe alone would miss).
    function test_verify_asksAgainInSolidityWhenTheProbeFails() public {
        // Every question is answered with nothing, so the probe fails too: only the Solidity verifier is left.
        vm.mockCall(PRECOMPILE, "", "");
        uint256 before = gasleft();
        checkVerdicts();
        isTrue(before - gasleft() > 400_000, "the Solidity verifier did the work");
        vm.clearMockedCalls();
        before = gasleft();
        checkVerdicts();
        isTrue(before - gasleft() < 200_000, "the precompile did the work");
    }

    /// X2: whatever the gas, the answer is right or there is none.
    function test_verify_isRightOrRevertsAtAnyGas() public {
        sweep(60_000, 97);
        vm.mockCall(PRECOMPILE, "", "");
        sweep(500_000, 4_099);
        vm.clearMockedCalls();
        vm.mockCallRevert(PRECOMPILE, "", "");
        sweep(500_000, 4_099);
        vm.clearMockedCalls();
    }

    function sweep(uint256 limit, uint256 step) private view {
        (bytes32 digest, bytes32 r, bytes32 s, bytes32 x, bytes32 y) = example();
        bytes memory good = abi.encodeCall(door.verifySignature, (digest, r, s, x, y));
        bytes memory bad = abi.encodeCall(door.verifySignature, (~digest, r, s, x, y));
        bool answered = false;
        for (uint256 gas_ = 1; gas_ <= limit; gas_ += step) {
            (bool ok, bytes memory answer) = address(door).staticcall{gas: gas_}(good);
            if (ok) isTrue(abi.decode(answer, (bool)), "a good signature is never refused for want of gas");
            answered = ok;
            (ok, answer) = address(door).staticcall{gas: gas_}(bad);
            if (ok) isTrue(!abi.decode(answer, (bool)), "a bad signature is never accepted");
            answered = answered && ok;
        }
        isTrue(answered, "with enough gas both are answered");
    }

    function checkVerdicts() private view {
        (bytes32 digest, bytes32 r, bytes32 s, bytes32 x, bytes32 y) = example();
        isTrue(door.verifySignature(digest, r, s, x, y), "good");
        isTrue(!door.verifySignature(~digest, r, s, x, y), "bad digest");
        isTrue(!door.verifySignature(digest, r, bytes32(N - uint256(s)), x, y), "high s");
        isTrue(!door.verifySignature(digest, r, s, 0, 0), "infinity");
    }

    function example() private pure returns (bytes32 digest, bytes32 r, bytes32 s, bytes32 x, bytes32 y) {
        digest = keccak256("an honest message");
        (r, s) = sign(ISSUER, digest);
        (uint256 px, uint256 py) = vm.publicKeyP256(ISSUER);
        (x, y) = (bytes32(px), bytes32(py));
    }
}
