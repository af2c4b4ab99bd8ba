// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IAccessManager} from "@openzeppelin/contracts/access/manager/IAccessManager.sol";
import {IDeviceRegistry} from "../../../contracts/interfaces/IDeviceRegistry.sol";
import {IFleetrootAccess} from "../../../contracts/interfaces/IFleetrootAccess.sol";
import {IManufacturerRegistry} from "../../../contracts/interfaces/IManufacturerRegistry.sol";

// What tests see of the contracts: interfaces only, so that a test is compiled without the contracts in it, and what it deploys
// is the bytecode that the project ships.

interface IAccessDoor is IAccessManager, IFleetrootAccess {
    function multicall(bytes[] calldata data) external returns (bytes[] memory results);
}

interface IManufacturersDoor is IManufacturerRegistry, IAccessManaged {}

interface IDevicesDoor is IDeviceRegistry, IAccessManaged {}

interface ILibraryDoor {
    function verifyInclusion(
        bytes32 leaf,
        uint256 index,
        uint256 size,
        bytes32[] calldata proof,
        bytes32 root
    ) external view returns (bool);

    function verifyThenAllocate(
        bytes32 leaf,
        uint256 index,
        uint256 size,
        bytes32[] calldata proof,
        bytes32 root
    ) external view returns (bool included, bytes memory kept, bytes memory empty, bytes memory fresh);

    function leafHash(bytes32 credentialHash) external view returns (bytes32);

    function verifySignature(bytes32 digest, bytes32 r, bytes32 s, bytes32 x, bytes32 y) external view returns (bool);

    function locate(uint256 index) external pure returns (uint256 word, uint256 mask);

    function validBits(uint256 word, uint256 size) external pure returns (uint256);

    function highest(uint256 bits) external pure returns (uint256);

    function count(uint256 bits) external pure returns (uint256);
}
