// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {vm} from "./Vm.sol";

/// @notice What these tests say of calls and values. Everything reverts with words that say what was found.
abstract contract Assertions {
    string internal constant LIBRARY_DOOR = "contracts/mocks/LibraryDoor.sol:LibraryDoor";

    error Different(string what, bytes32 found, bytes32 expected);
    error Untrue(string what);
    error CallRefused(bytes4 selector, bytes reason);
    error CallAccepted(bytes4 selector);
    error WrongRefusal(bytes4 selector, bytes found, bytes expected);

    function equal(uint256 found, uint256 expected, string memory what) internal pure {
        if (found != expected) revert Different(what, bytes32(found), bytes32(expected));
    }

    function equal(bytes32 found, bytes32 expected, string memory what) internal pure {
        if (found != expected) revert Different(what, found, expected);
    }

    function equal(address found, address expected, string memory what) internal pure {
        equal(uint256(uint160(found)), uint256(uint160(expected)), what);
    }

    function isTrue(bool condition, string memory what) internal pure {
        if (!condition) revert Untrue(what);
    }

    /// @notice `actor` calls `target`, which must accept.
    function accept(address actor, address target, bytes memory data) internal returns (bytes memory answer) {
        bool ok;
        (ok, answer) = callAs(actor, target, data);
        if (!ok) revert CallRefused(bytes4(data), answer);
    }

    /// @notice `actor` calls `target`, which must refuse with exactly `reason`.
    function refuse(address actor, address target, bytes memory data, bytes memory reason) internal {
        (bool ok, bytes memory answer) = callAs(actor, target, data);
        if (ok) revert CallAccepted(bytes4(data));
        if (keccak256(answer) != keccak256(reason)) revert WrongRefusal(bytes4(data), answer, reason);
    }

    /// @notice As {refuse}, for refusals by the compiler's own checks, which carry no reason of ours.
    function refuseAnyhow(address actor, address target, bytes memory data) internal {
        (bool ok, ) = callAs(actor, target, data);
        if (ok) revert CallAccepted(bytes4(data));
    }

    function callAs(address actor, address target, bytes memory data) internal returns (bool ok, bytes memory answer) {
        vm.prank(actor);
        (ok, answer) = target.call(data);
    }

    /// @notice Deploys a contract; `reason` tells why not, when it is the zero address.
    function create(
        string memory artifact,
        bytes memory arguments
    ) internal returns (address made, bytes memory reason) {
        bytes memory code = bytes.concat(vm.getCode(artifact), arguments);
        assembly ("memory-safe") {
            made := create(0, add(code, 32), mload(code))
            if iszero(made) {
                reason := mload(0x40)
                mstore(0x40, add(add(reason, 32), returndatasize()))
                mstore(reason, returndatasize())
                returndatacopy(add(reason, 32), 0, returndatasize())
            }
        }
    }

    function mustCreate(string memory artifact, bytes memory arguments) internal returns (address made) {
        bytes memory reason;
        (made, reason) = create(artifact, arguments);
        if (made == address(0)) revert CallRefused("", reason);
    }

    function refuseToCreate(string memory artifact, bytes memory arguments, bytes memory expected) internal {
        (address made, bytes memory reason) = create(artifact, arguments);
        if (made != address(0)) revert CallAccepted("");
        if (keccak256(reason) != keccak256(expected)) revert WrongRefusal("", reason, expected);
    }

    /// @notice The time now.
    function time() internal view returns (uint40) {
        return uint40(vm.getBlockTimestamp());
    }

    function wait(uint256 secondsToWait) internal {
        vm.warp(time() + secondsToWait);
    }

    /// @notice A number from `low` to `high`, both included.
    function between(uint256 seed, uint256 low, uint256 high) internal pure returns (uint256) {
        if (low == 0 && high == type(uint256).max) return seed;
        return low + (seed % (high - low + 1));
    }
}
