// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {IHashChainedLog} from "./interfaces/IHashChainedLog.sol";

/// @title The log heads that every registry keeps. See {IHashChainedLog} for the format.
/// @dev Use: `_openLog` once in a transaction, `_chain` with the hash of each entry, just after its event, `_closeLog` once.
/// Nothing may be called between opening and closing that could append to the same log.
abstract contract HashChainedLog is IHashChainedLog {
    struct Log {
        bytes32 head;
        /// A whole word: a shorter type would be read before it is written.
        uint256 length;
    }

    /// @dev A log being written, held in memory so that a call with many entries stores three words, not three each.
    struct OpenLog {
        uint32 manufacturerId;
        /// The sequence number of the next entry; the first is 1.
        uint64 sequence;
        bytes32 head;
        bytes32 globalHead;
    }

    bytes32 private _globalHead = _genesis(0);
    mapping(uint32 manufacturerId => Log log) private _logs;

    /// @inheritdoc IHashChainedLog
    function logHead(uint32 manufacturerId) public view returns (bytes32 head, uint64 length) {
        Log storage log = _logs[manufacturerId];
        length = uint64(log.length);
        head = length == 0 ? _genesis(manufacturerId) : log.head;
    }

    /// @inheritdoc IHashChainedLog
    function globalLogHead() external view returns (bytes32 head) {
        return _globalHead;
    }

    function _openLog(uint32 manufacturerId) internal view returns (OpenLog memory log) {
        (bytes32 head, uint64 length) = logHead(manufacturerId);
        return OpenLog({manufacturerId: manufacturerId, sequence: length + 1, head: head, globalHead: _globalHead});
    }

    function _chain(OpenLog memory log, bytes32 entryHash) internal pure {
        bytes32 head = Hashes.efficientKeccak256(log.head, entryHash);
        log.head = head;
        log.globalHead = keccak256(abi.encode(log.globalHead, log.manufacturerId, head));
        unchecked {
            // 2^64 entries cannot be written.
            ++log.sequence;
        }
    }

    function _closeLog(OpenLog memory log) internal {
        Log storage stored = _logs[log.manufacturerId];
        stored.head = log.head;
        stored.length = log.sequence - 1;
        _globalHead = log.globalHead;
    }

    function _genesis(uint32 manufacturerId) private view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), manufacturerId));
    }
}
