// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IDeviceRegistry} from "../interfaces/IDeviceRegistry.sol";

/// @title A contract that acts only on good devices, as an on-chain user of the registry would; measures what the answer costs it.
contract StatusCaller {
    IDeviceRegistry public immutable devices;

    constructor(IDeviceRegistry devices_) {
        devices = devices_;
    }

    /// @return verdict The registry's answer.
    /// @return gasUsed What the call cost, the first touch of the registry's address included.
    function measure(
        uint32 manufacturerId,
        uint32 series,
        uint256 index,
        bytes32 credentialHash,
        bytes32 deviceKeyId,
        bytes32[] calldata proof
    ) external view returns (IDeviceRegistry.Verdict memory verdict, uint256 gasUsed) {
        uint256 before = gasleft();
        verdict = devices.statusOf(manufacturerId, series, index, credentialHash, deviceKeyId, proof);
        gasUsed = before - gasleft();
    }
}
