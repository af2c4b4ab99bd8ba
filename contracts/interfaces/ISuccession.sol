// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title How a registry names the one that follows it.
/// @dev A successor never reuses a manufacturer id or a series; what is revoked in any deployment of the line is revoked. Readers
/// never follow a successor by themselves: somebody they trust must tell them to.
interface ISuccession {
    /// @notice A registry on some chain. All zeros: none.
    struct Successor {
        uint256 chainId;
        address registry;
        bytes32 codeHash;
    }

    /// @notice The consortium proposes a successor, to be named from `dueAt` on. Logged under manufacturer 0.
    event SuccessorProposed(
        uint32 indexed manufacturerId,
        uint64 sequence,
        uint64 timestamp,
        uint256 chainId,
        address registry,
        bytes32 codeHash,
        uint40 dueAt
    );
    /// @notice The successor is named, for ever; nothing is registered here any more. Logged under manufacturer 0.
    event SuccessorNamed(
        uint32 indexed manufacturerId,
        uint64 sequence,
        uint64 timestamp,
        uint256 chainId,
        address registry,
        bytes32 codeHash
    );

    /// @notice The successor has been named before.
    error SuccessorAlreadyNamed(uint256 chainId, address registry);
    /// @notice Address and code hash must be given.
    error SuccessorInvalid();
    /// @notice No successor is proposed, or it is not due before `dueAt`.
    error SuccessorNotDue(uint40 dueAt);
    /// @notice Registration has moved to the successor.
    error RegistrationMoved(uint256 chainId, address registry);

    /// @notice Proposes a successor; it may be named 30 days later. Takes the place of an earlier proposal. By the consortium.
    function proposeSuccessor(uint256 chainId, address registry, bytes32 codeHash) external;

    /// @notice Names the proposed successor, once. Registration stops; revoking and holding go on. By the consortium.
    function nameSuccessor() external;

    /// @notice The successor; zeros while none is named.
    function successor() external view returns (Successor memory);

    /// @notice The proposal that runs, and when it is due; zeros if there is none.
    function proposedSuccessor() external view returns (Successor memory proposal, uint40 dueAt);
}
