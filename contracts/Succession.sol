// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {HashChainedLog} from "./HashChainedLog.sol";
import {Governed} from "./Governed.sol";
import {ISuccession} from "./interfaces/ISuccession.sol";

/// @title Naming the registry that follows this one. See {ISuccession}.
abstract contract Succession is HashChainedLog, ISuccession, Governed {
    uint40 private constant SUCCESSION_DELAY = 30 days;

    Successor private _successor;
    Successor private _proposal;
    uint40 private _dueAt;

    /// @inheritdoc ISuccession
    function proposeSuccessor(uint256 chainId, address registry, bytes32 codeHash) external restricted {
        _requireNoSuccessor();
        if (chainId == 0 || registry == address(0) || codeHash == 0) revert SuccessorInvalid();

        _proposal = Successor({chainId: chainId, registry: registry, codeHash: codeHash});
        _dueAt = uint40(block.timestamp) + SUCCESSION_DELAY;

        OpenLog memory log = _openLog(0);
        emit SuccessorProposed(0, log.sequence, uint64(block.timestamp), chainId, registry, codeHash, _dueAt);
        _chain(
            log,
            keccak256(
                abi.encode(
                    SuccessorProposed.selector,
                    0,
                    log.sequence,
                    block.timestamp,
                    chainId,
                    registry,
                    codeHash,
                    _dueAt
                )
            )
        );
        _closeLog(log);
    }

    /// @inheritdoc ISuccession
    function nameSuccessor() external restricted {
        _requireNoSuccessor();
        if (_dueAt == 0 || block.timestamp < _dueAt) revert SuccessorNotDue(_dueAt);

        Successor memory named = _proposal;
        _successor = named;
        delete _proposal;
        delete _dueAt;

        OpenLog memory log = _openLog(0);
        emit SuccessorNamed(0, log.sequence, uint64(block.timestamp), named.chainId, named.registry, named.codeHash);
        _chain(
            log,
            keccak256(
                abi.encode(
                    SuccessorNamed.selector,
                    0,
                    log.sequence,
                    block.timestamp,
                    named.chainId,
                    named.registry,
                    named.codeHash
                )
            )
        );
        _closeLog(log);
    }

    /// @inheritdoc ISuccession
    function successor() external view returns (Successor memory) {
        return _successor;
    }

    /// @inheritdoc ISuccession
    function proposedSuccessor() external view returns (Successor memory proposal, uint40 dueAt) {
        return (_proposal, _dueAt);
    }

    /// @dev Every function that registers something calls this first.
    function _requireNotMoved() internal view {
        address registry = _successor.registry;
        if (registry != address(0)) revert RegistrationMoved(_successor.chainId, registry);
    }

    function _requireNoSuccessor() private view {
        address registry = _successor.registry;
        if (registry != address(0)) revert SuccessorAlreadyNamed(_successor.chainId, registry);
    }
}
