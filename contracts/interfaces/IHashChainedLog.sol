// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title One hash chain of everything that a registry ever recorded, per manufacturer and over all of them.
/// @notice Lets a reader that replayed a manufacturer's events tell whether it has all of them, in order and unaltered.
/// @dev Every event of a registry starts with `(uint32 indexed manufacturerId, uint64 sequence, uint64 timestamp, …)` and is
/// chained in the order of its sequence number:
///
///     entry      = abi.encode(event selector, manufacturerId, sequence, timestamp, the event's other parameters, in order)
///     head'      = keccak256(abi.encode(head, keccak256(entry)))
///     globalHead' = keccak256(abi.encode(globalHead, manufacturerId, head'))
///
/// The first head of manufacturer m is keccak256(abi.encode(chain id, registry, m)); the global chain starts like that of
/// manufacturer 0, which stands for the registry itself.
///
/// What must be true of the outside world: a head proves completeness up to block B only if it was read by a state proof at B,
/// B is fresh, and B's hash comes from somebody who does not lie (a quorum, a light client). A head read by a plain call
/// proves nothing against the node that served it.
interface IHashChainedLog {
    /// @notice The head of one manufacturer's log, and how many entries it covers. Manufacturer 0 is the registry itself.
    function logHead(uint32 manufacturerId) external view returns (bytes32 head, uint64 length);

    /// @notice The head over all manufacturers' heads.
    function globalLogHead() external view returns (bytes32 head);
}
