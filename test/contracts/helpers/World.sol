// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {CredentialKind} from "../../../contracts/interfaces/IDeviceRegistry.sol";
import {IDeviceRegistry} from "../../../contracts/interfaces/IDeviceRegistry.sol";
import {KeyPurpose} from "../../../contracts/interfaces/IManufacturerRegistry.sol";
import {IAccessDoor} from "./Doors.sol";
import {IDevicesDoor} from "./Doors.sol";
import {IManufacturersDoor} from "./Doors.sol";
import {Assertions} from "./Assertions.sol";
import {vm} from "./Vm.sol";

/// @notice A deployment with its people, and what they sign. The digests are built here from the documented texts, not by the
/// contracts' own code.
abstract contract World is Assertions {
    uint256 internal constant N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551;
    uint256 internal constant START = 1_800_000_000;
    uint40 internal constant FAR = 4_000_000_000;

    string internal constant ACCESS = "contracts/FleetrootAccess.sol:FleetrootAccess";
    string internal constant MANUFACTURERS = "contracts/ManufacturerRegistry.sol:ManufacturerRegistry";
    string internal constant DEVICES = "contracts/DeviceRegistry.sol:DeviceRegistry";

    address internal constant CONSORTIUM = address(0xC0);
    address internal constant GUARDIAN = address(0x60);
    address internal constant CONTROLLER = address(0xA0);
    address internal constant OPERATOR = address(0x0B);
    address internal constant OUTSIDER = address(0xBAD);

    /// Private keys.
    uint256 internal constant ISSUER = 0x1551;
    uint256 internal constant OPEN_ISSUER = 0x0be1;
    uint256 internal constant FIRMWARE = 0xf1e;
    uint256 internal constant DEVICE = 0xde71ce;

    IAccessDoor internal access;
    IManufacturersDoor internal manufacturers;
    IDevicesDoor internal devices;

    function deploy(uint32 delay, uint40 keyDelay) internal {
        deployWith(delay, keyDelay, DEVICES);
    }

    /// @param devicesArtifact The registry of devices, or a variant of it with a planted defect.
    function deployWith(uint32 delay, uint40 keyDelay, string memory devicesArtifact) internal {
        if (time() < START) vm.warp(START);
        access = IAccessDoor(mustCreate(ACCESS, abi.encode(CONSORTIUM, GUARDIAN, delay)));
        manufacturers = IManufacturersDoor(mustCreate(MANUFACTURERS, abi.encode(access, keyDelay, 1)));
        devices = IDevicesDoor(mustCreate(devicesArtifact, abi.encode(manufacturers, access)));
    }

    /// @notice One manufacturer, number 1, with an issuer key (1), an open issuer key (2) and an operator with all rights.
    function deployWithManufacturer() internal {
        deploy(0, 0);
        admit(CONTROLLER);
        addKey(1, CONTROLLER, ISSUER, KeyPurpose.Issuer);
        addKey(1, CONTROLLER, OPEN_ISSUER, KeyPurpose.OpenIssuer);
        accept(CONTROLLER, address(manufacturers), abi.encodeCall(manufacturers.setOperator, (1, OPERATOR, 7, FAR)));
        wait(10);
    }

    function admit(address controller) internal returns (uint32) {
        bytes memory answer = accept(
            CONSORTIUM,
            address(manufacturers),
            abi.encodeCall(manufacturers.admit, (controller, "Acme Works", "https://acme.example"))
        );
        return abi.decode(answer, (uint32));
    }

    function addKey(
        uint32 manufacturerId,
        address controller,
        uint256 privateKey,
        KeyPurpose purpose
    ) internal returns (uint32) {
        bytes memory answer = accept(
            controller,
            address(manufacturers),
            addKeyCall(manufacturerId, privateKey, purpose, 0, FAR)
        );
        return abi.decode(answer, (uint32));
    }

    function addKeyCall(
        uint32 manufacturerId,
        uint256 privateKey,
        KeyPurpose purpose,
        uint40 notBefore,
        uint40 notAfter
    ) internal view returns (bytes memory) {
        return
            abi.encodeCall(
                manufacturers.addKey,
                (
                    manufacturerId,
                    purpose,
                    notBefore,
                    notAfter,
                    spkiOf(privateKey),
                    possession(manufacturerId, privateKey, purpose)
                )
            );
    }

    // -------------------------------------------------------------------------------------------------------------- keys

    function spkiOf(uint256 privateKey) internal pure returns (bytes memory) {
        (uint256 x, uint256 y) = vm.publicKeyP256(privateKey);
        return spki(x, y);
    }

    function spki(uint256 x, uint256 y) internal pure returns (bytes memory) {
        return bytes.concat(hex"3059301306072a8648ce3d020106082a8648ce3d03010703420004", bytes32(x), bytes32(y));
    }

    function keyIdOf(uint256 privateKey) internal pure returns (bytes32) {
        return sha256(spkiOf(privateKey));
    }

    /// @notice A signature with s at most n / 2.
    function sign(uint256 privateKey, bytes32 digest) internal pure returns (bytes32 r, bytes32 s) {
        (r, s) = vm.signP256(privateKey, digest);
        if (uint256(s) > N / 2) s = bytes32(N - uint256(s));
    }

    // --------------------------------------------------------------------------------------------------------- statements

    function possession(
        uint32 manufacturerId,
        uint256 privateKey,
        KeyPurpose purpose
    ) internal view returns (bytes memory) {
        (bytes32 r, bytes32 s) = sign(
            privateKey,
            possessionDigest(block.chainid, address(manufacturers), manufacturerId, keyIdOf(privateKey), purpose)
        );
        return bytes.concat(r, s);
    }

    function possessionDigest(
        uint256 chainId,
        address registry,
        uint32 manufacturerId,
        bytes32 keyId,
        KeyPurpose purpose
    ) internal pure returns (bytes32) {
        return
            digestOf(
                domain("Fleetroot ManufacturerRegistry", chainId, registry),
                keccak256(
                    abi.encode(
                        keccak256("KeyPossession(uint32 manufacturerId,bytes32 keyId,uint8 purpose)"),
                        manufacturerId,
                        keyId,
                        uint8(purpose)
                    )
                )
            );
    }

    function batchDigest(
        uint256 chainId,
        address registry,
        uint32 manufacturerId,
        IDeviceRegistry.BatchInput memory input,
        bytes32 keyId,
        uint8 kind
    ) internal pure returns (bytes32) {
        return
            digestOf(
                domain("Fleetroot DeviceRegistry", chainId, registry),
                keccak256(
                    abi.encode(
                        keccak256(
                            "BatchRegistration(uint32 manufacturerId,uint32 series,bytes32 root,uint32 size,bytes32 keyId,uint40 notAfter,uint8 kind)"
                        ),
                        manufacturerId,
                        input.series,
                        input.root,
                        input.size,
                        keyId,
                        input.notAfter,
                        kind
                    )
                )
            );
    }

    function selfRevocationDigest(
        uint256 chainId,
        address registry,
        uint32 manufacturerId,
        bytes32 credentialHash,
        uint8 reason
    ) internal pure returns (bytes32) {
        return
            digestOf(
                domain("Fleetroot DeviceRegistry", chainId, registry),
                keccak256(
                    abi.encode(
                        keccak256("SelfRevocation(uint32 manufacturerId,bytes32 credentialHash,uint8 reason)"),
                        manufacturerId,
                        credentialHash,
                        reason
                    )
                )
            );
    }

    function domain(string memory name, uint256 chainId, address registry) internal pure returns (bytes32) {
        return
            keccak256(
                abi.encode(
                    keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                    keccak256(bytes(name)),
                    keccak256("1"),
                    chainId,
                    registry
                )
            );
    }

    function digestOf(bytes32 separator, bytes32 struct_) internal pure returns (bytes32) {
        return sha256(bytes.concat(hex"1901", separator, struct_));
    }

    // -------------------------------------------------------------------------------------------------------------- calls

    function batchInput(
        uint32 series,
        uint32 size,
        bytes32 root
    ) internal pure returns (IDeviceRegistry.BatchInput memory) {
        return IDeviceRegistry.BatchInput({series: series, size: size, keyIndex: 1, notAfter: FAR, root: root});
    }

    function registerBatchCall(IDeviceRegistry.BatchInput memory input) internal view returns (bytes memory) {
        return abi.encodeCall(devices.registerBatch, (1, input));
    }

    /// @notice A registration signed by `privateKey` for manufacturer 1.
    function registerBatchForCall(
        IDeviceRegistry.BatchInput memory input,
        CredentialKind kind,
        uint256 privateKey
    ) internal view returns (bytes memory) {
        bytes32 digest = batchDigest(block.chainid, address(devices), 1, input, keyIdOf(privateKey), uint8(kind));
        (bytes32 r, bytes32 s) = sign(privateKey, digest);
        return abi.encodeCall(devices.registerBatchFor, (1, input, kind, r, s));
    }

    function target(bytes32 subject) internal pure returns (IDeviceRegistry.Target[] memory) {
        return target(subject, 0, 0);
    }

    function target(
        bytes32 subject,
        uint32 series,
        uint32 index
    ) internal pure returns (IDeviceRegistry.Target[] memory targets) {
        targets = new IDeviceRegistry.Target[](1);
        targets[0] = IDeviceRegistry.Target({subject: subject, series: series, index: index});
    }

    function list(bytes32 item) internal pure returns (bytes32[] memory items) {
        items = new bytes32[](1);
        items[0] = item;
    }

    function list40(uint40 item) internal pure returns (uint40[] memory items) {
        items = new uint40[](1);
        items[0] = item;
    }

    function list32(uint32 item) internal pure returns (uint32[] memory items) {
        items = new uint32[](1);
        items[0] = item;
    }

    function list256(uint256 item) internal pure returns (uint256[] memory items) {
        items = new uint256[](1);
        items[0] = item;
    }
}
