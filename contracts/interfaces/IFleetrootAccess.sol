// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title What {FleetrootAccess} adds to OpenZeppelin's `IAccessManager`.
/// @dev What must be true of the outside world: the consortium and the guardian are multisigs with different members; somebody
/// watches `OperationScheduled` and cancels what should not be.
interface IFleetrootAccess {
    /// @notice The rules of this authority never change.
    error RuleImmutable();
    /// @notice This role may not act sooner than after `minimum` seconds.
    error DelayTooShort(uint32 delay, uint32 minimum);

    /// @notice The shortest delay, in seconds, that anybody who admits or grants roles may have.
    function minimumDelay() external view returns (uint32);
}
