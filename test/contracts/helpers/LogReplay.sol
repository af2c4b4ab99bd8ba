// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IHashChainedLog} from "../../../contracts/interfaces/IHashChainedLog.sol";
import {IManufacturerRegistry} from "../../../contracts/interfaces/IManufacturerRegistry.sol";
import {Assertions} from "./Assertions.sol";
import {IVm} from "./Vm.sol";
import {vm} from "./Vm.sol";

/// @notice Log heads rebuilt from nothing but the events (I16), for any event that follows the rules of {IHashChainedLog}.
abstract contract LogReplay is Assertions {
    mapping(address registry => mapping(uint32 manufacturerId => bytes32)) private _heads;
    mapping(address registry => mapping(uint32 manufacturerId => uint64)) private _lengths;
    mapping(address registry => bytes32) private _globalHeads;

    function startReplay(address registry) internal {
        _globalHeads[registry] = firstHead(registry, 0);
        vm.recordLogs();
    }

    /// @notice Takes in what was emitted since the last call.
    /// @return entries How many of it were entries of a registry's log.
    function replay() internal returns (uint256 entries) {
        IVm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            address registry = logs[i].emitter;
            if (_globalHeads[registry] == 0 || logs[i].topics.length < 2) continue;
            ++entries;
            uint32 m = uint32(uint256(logs[i].topics[1]));
            (uint256 sequence, uint256 timestamp) = abi.decode(logs[i].data, (uint256, uint256));
            equal(sequence, ++_lengths[registry][m], "sequence numbers follow each other");
            equal(timestamp, time(), "the block's time");
            if (_lengths[registry][m] == 1) _heads[registry][m] = firstHead(registry, m);
            _heads[registry][m] = keccak256(abi.encode(_heads[registry][m], keccak256(entryOf(logs[i]))));
            _globalHeads[registry] = keccak256(abi.encode(_globalHeads[registry], m, _heads[registry][m]));
        }
    }

    function checkHeads(address registry, uint32 manufacturers) internal view {
        for (uint32 m = 0; m <= manufacturers; ++m) {
            (bytes32 head, uint64 length) = IHashChainedLog(registry).logHead(m);
            equal(length, _lengths[registry][m], "log length");
            equal(head, length == 0 ? firstHead(registry, m) : _heads[registry][m], "log head");
        }
        equal(IHashChainedLog(registry).globalLogHead(), _globalHeads[registry], "global head");
    }

    function firstHead(address registry, uint32 m) private view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, registry, m));
    }

    /// abi.encode(event selector, manufacturer id, sequence, timestamp, second indexed parameter, the rest): all events have their
    /// indexed parameters where this puts them. What the data says of where its own tails are moves by the words put before.
    function entryOf(IVm.Log memory log) private pure returns (bytes memory entry) {
        bytes memory data = log.data;
        bytes32 selector = log.topics[0];
        if (selector == IManufacturerRegistry.ManufacturerAdmitted.selector) move(data, 3, 2, 64);
        if (selector == IManufacturerRegistry.MetadataURIChanged.selector) move(data, 2, 1, 64);
        if (selector == IManufacturerRegistry.KeyAdded.selector) move(data, 7, 2, 96);
        bytes memory second = log.topics.length > 2 ? abi.encodePacked(log.topics[2]) : bytes("");
        return bytes.concat(selector, log.topics[1], slice(data, 0, 64), second, slice(data, 64, data.length));
    }

    function move(bytes memory data, uint256 word, uint256 count, uint256 by) private pure {
        for (uint256 i = word; i < word + count; ++i) {
            assembly ("memory-safe") {
                let place := add(add(data, 32), mul(i, 32))
                mstore(place, add(mload(place), by))
            }
        }
    }

    function slice(bytes memory data, uint256 from, uint256 to) private pure returns (bytes memory part) {
        part = new bytes(to - from);
        for (uint256 i = 0; i < part.length; ++i) part[i] = data[from + i];
    }
}
