// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IFirmwareRegistry} from "../../../contracts/interfaces/IFirmwareRegistry.sol";
import {ISuccession} from "../../../contracts/interfaces/ISuccession.sol";
import {IVm} from "./Vm.sol";

/// @title Follows the firmware registry by its events alone.
/// @dev Computes the log heads by the rule of IHashChainedLog, and rebuilds what the events say.
contract FirmwareReplay {
    struct Rebuilt {
        bytes32 imageDigest;
        bytes32 manifestDigest;
        uint40 releasedAt;
        uint40 recalledAt;
        uint8 threshold;
        uint128 signers;
    }

    address public registry;

    bytes32 public globalHead;
    mapping(uint32 manufacturerId => bytes32 head) private _heads;
    mapping(uint32 manufacturerId => uint64 length) public lengths;
    mapping(uint32 manufacturerId => mapping(bytes32 product => uint64 version)) public latest;
    mapping(uint32 manufacturerId => mapping(bytes32 product => uint64 version)) public minimum;
    mapping(uint32 manufacturerId => mapping(bytes32 product => mapping(uint64 version => Rebuilt))) private _releases;
    /// The last word on the threshold, and what counted before it.
    mapping(uint32 manufacturerId => uint8 threshold) private _before;
    mapping(uint32 manufacturerId => uint8 threshold) private _last;
    mapping(uint32 manufacturerId => uint40 time) private _effectiveAt;

    constructor(address registry_) {
        registry = registry_;
        globalHead = _genesis(0);
    }

    function head(uint32 manufacturerId) public view returns (bytes32) {
        return lengths[manufacturerId] == 0 ? _genesis(manufacturerId) : _heads[manufacturerId];
    }

    function release(uint32 manufacturerId, bytes32 product, uint64 version) external view returns (Rebuilt memory) {
        return _releases[manufacturerId][product][version];
    }

    function threshold(uint32 manufacturerId, uint256 time) public view returns (uint8) {
        if (_last[manufacturerId] == 0) return 1;
        return time >= _effectiveAt[manufacturerId] ? _last[manufacturerId] : _before[manufacturerId];
    }

    /// @return count How many entries the logs hold; those of other contracts are passed over.
    function replay(IVm.Log[] memory logs, uint256 time) external returns (uint256 count) {
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter != registry) continue;
            _replay(logs[i], time);
            ++count;
        }
    }

    function _replay(IVm.Log memory log, uint256 time) private {
        bytes32 selector = log.topics[0];
        uint32 manufacturerId = uint32(uint256(log.topics[1]));
        (uint64 sequence, uint64 timestamp) = abi.decode(log.data, (uint64, uint64));
        require(sequence == lengths[manufacturerId] + 1, "replay: a sequence number is left out");
        require(timestamp == time, "replay: the event's time is not the block's");

        bytes memory entry;
        if (selector == IFirmwareRegistry.ReleasePublished.selector) entry = _published(log, manufacturerId);
        else if (selector == IFirmwareRegistry.ReleaseRecalled.selector) entry = _recalled(log, manufacturerId);
        else if (selector == IFirmwareRegistry.MinimumRaised.selector) entry = _raised(log, manufacturerId);
        else if (selector == IFirmwareRegistry.ThresholdSet.selector) entry = _thresholdSet(log, manufacturerId);
        else if (selector == ISuccession.SuccessorProposed.selector) entry = _static(log, manufacturerId);
        else if (selector == ISuccession.SuccessorNamed.selector) entry = _static(log, manufacturerId);
        else revert("replay: an unknown event");

        bytes32 next = keccak256(abi.encode(head(manufacturerId), keccak256(entry)));
        _heads[manufacturerId] = next;
        lengths[manufacturerId] = sequence;
        globalHead = keccak256(abi.encode(globalHead, manufacturerId, next));
    }

    function _published(IVm.Log memory log, uint32 manufacturerId) private returns (bytes memory) {
        bytes32 product = log.topics[2];
        bytes32 imageDigest = log.topics[3];
        (
            uint64 sequence,
            uint64 timestamp,
            uint64 version,
            bytes32 manifestDigest,
            uint8 needed,
            uint128 signers,
            string memory text,
            string memory uri
        ) = abi.decode(log.data, (uint64, uint64, uint64, bytes32, uint8, uint128, string, string));
        require(needed == threshold(manufacturerId, timestamp), "replay: the threshold is not the one that counts");
        latest[manufacturerId][product] = version;
        _releases[manufacturerId][product][version] = Rebuilt({
            imageDigest: imageDigest,
            manifestDigest: manifestDigest,
            releasedAt: uint40(timestamp),
            recalledAt: 0,
            threshold: needed,
            signers: signers
        });
        return
            abi.encode(
                log.topics[0],
                manufacturerId,
                sequence,
                timestamp,
                product,
                version,
                imageDigest,
                manifestDigest,
                needed,
                signers,
                text,
                uri
            );
    }

    function _recalled(IVm.Log memory log, uint32 manufacturerId) private returns (bytes memory) {
        bytes32 product = log.topics[2];
        (uint64 sequence, uint64 timestamp, uint64 version, string memory reason) = abi.decode(
            log.data,
            (uint64, uint64, uint64, string)
        );
        _releases[manufacturerId][product][version].recalledAt = uint40(timestamp);
        return abi.encode(log.topics[0], manufacturerId, sequence, timestamp, product, version, reason);
    }

    function _raised(IVm.Log memory log, uint32 manufacturerId) private returns (bytes memory) {
        bytes32 product = log.topics[2];
        (uint64 sequence, uint64 timestamp, uint64 version) = abi.decode(log.data, (uint64, uint64, uint64));
        minimum[manufacturerId][product] = version;
        return abi.encode(log.topics[0], manufacturerId, sequence, timestamp, product, version);
    }

    function _thresholdSet(IVm.Log memory log, uint32 manufacturerId) private returns (bytes memory) {
        (uint64 sequence, uint64 timestamp, uint8 wanted, uint40 effectiveAt) = abi.decode(
            log.data,
            (uint64, uint64, uint8, uint40)
        );
        _before[manufacturerId] = threshold(manufacturerId, timestamp);
        _last[manufacturerId] = wanted;
        _effectiveAt[manufacturerId] = effectiveAt;
        return abi.encode(log.topics[0], manufacturerId, sequence, timestamp, wanted, effectiveAt);
    }

    /// @dev An event without strings and without further topics: its data are its words.
    function _static(IVm.Log memory log, uint32 manufacturerId) private pure returns (bytes memory) {
        return bytes.concat(abi.encode(log.topics[0], manufacturerId), log.data);
    }

    function _genesis(uint32 manufacturerId) private view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, registry, manufacturerId));
    }
}
