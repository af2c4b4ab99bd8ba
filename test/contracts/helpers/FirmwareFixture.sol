// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IFirmwareRegistry} from "../../../contracts/interfaces/IFirmwareRegistry.sol";
import {Installability} from "../../../contracts/interfaces/IFirmwareRegistry.sol";
import {IManufacturerRegistry} from "../../../contracts/interfaces/IManufacturerRegistry.sol";
import {KeyPurpose} from "../../../contracts/interfaces/IManufacturerRegistry.sol";
import {Assertions} from "./Assertions.sol";
import {vm} from "./Vm.sol";

/// @title The contracts as the project ships them, and everything that signers do off the ledger, written without the contracts' own code.
/// @dev The clock is kept here, because the optimizer may read `block.timestamp` once for a whole function.
abstract contract FirmwareFixture is Assertions {
    string internal constant ACCESS = "contracts/FleetrootAccess.sol:FleetrootAccess";
    string internal constant MANUFACTURERS = "contracts/ManufacturerRegistry.sol:ManufacturerRegistry";
    string internal constant FIRMWARE = "contracts/FirmwareRegistry.sol:FirmwareRegistry";

    uint40 internal constant KEY_DELAY = 2 days;
    uint40 internal constant FAR = 4_000_000_000;
    uint256 internal constant P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551;

    uint40 internal clock = 1_800_000_000;
    IManufacturerRegistry internal manufacturers;
    IFirmwareRegistry internal firmware;

    /// @dev This contract is consortium and guardian.
    function _deploy() internal {
        _deployWith(FIRMWARE);
    }

    /// @param artifact The firmware registry, or a variant of it with a planted defect.
    function _deployWith(string memory artifact) internal {
        vm.warp(clock);
        address access = mustCreate(ACCESS, abi.encode(address(this), address(this), 0));
        manufacturers = IManufacturerRegistry(mustCreate(MANUFACTURERS, abi.encode(access, KEY_DELAY, 1)));
        firmware = IFirmwareRegistry(mustCreate(artifact, abi.encode(manufacturers, access)));
    }

    function _wait(uint256 time) internal {
        clock += uint40(time);
        vm.warp(clock);
    }

    function _addKey(
        uint32 manufacturerId,
        address controller,
        uint256 secret,
        KeyPurpose purpose,
        uint40 notAfter
    ) internal returns (uint32 keyIndex) {
        (uint256 x, uint256 y) = vm.publicKeyP256(secret);
        bytes memory spki = bytes.concat(
            hex"3059301306072a8648ce3d020106082a8648ce3d03010703420004",
            bytes32(x),
            bytes32(y)
        );
        bytes32 statement = keccak256(
            abi.encode(
                keccak256("KeyPossession(uint32 manufacturerId,bytes32 keyId,uint8 purpose)"),
                manufacturerId,
                sha256(spki),
                purpose
            )
        );
        bytes32 digest = _digest("Fleetroot ManufacturerRegistry", address(manufacturers), statement);
        (bytes32 r, bytes32 s) = _sign(secret, digest);
        vm.prank(controller);
        return manufacturers.addKey(manufacturerId, purpose, 0, notAfter, spki, bytes.concat(r, s));
    }

    // ------------------------------------------------------------------------------------------------------------ signing

    function _digest(string memory name, address verifyingContract, bytes32 statement) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256("1"),
                block.chainid,
                verifyingContract
            )
        );
        return sha256(abi.encodePacked(hex"1901", domain, statement));
    }

    function _statement(
        uint32 manufacturerId,
        IFirmwareRegistry.ReleaseInput memory input
    ) internal pure returns (bytes32) {
        return
            keccak256(
                abi.encode(
                    keccak256(
                        "Release(uint32 manufacturerId,bytes32 product,uint64 securityVersion,bytes32 imageDigest,bytes32 manifestDigest,string version,string uri)"
                    ),
                    manufacturerId,
                    input.product,
                    input.securityVersion,
                    input.imageDigest,
                    input.manifestDigest,
                    keccak256(bytes(input.version)),
                    keccak256(bytes(input.uri))
                )
            );
    }

    function _releaseDigest(
        uint32 manufacturerId,
        IFirmwareRegistry.ReleaseInput memory input
    ) internal view returns (bytes32) {
        return _digest("Fleetroot FirmwareRegistry", address(firmware), _statement(manufacturerId, input));
    }

    /// @dev With low s.
    function _sign(uint256 secret, bytes32 digest) internal pure returns (bytes32 r, bytes32 s) {
        (r, s) = vm.signP256(secret, digest);
        if (uint256(s) > P256_ORDER / 2) s = bytes32(P256_ORDER - uint256(s));
    }

    function _signature(
        uint256 secret,
        uint32 keyIndex,
        bytes32 digest
    ) internal pure returns (IManufacturerRegistry.KeySignature memory) {
        (bytes32 r, bytes32 s) = _sign(secret, digest);
        return IManufacturerRegistry.KeySignature({keyIndex: keyIndex, r: r, s: s});
    }

    // ------------------------------------------------------------------------------------------------------------ calling

    /// @return refusal What the call reverted with; empty if it did not.
    function _publish(
        uint32 manufacturerId,
        IFirmwareRegistry.ReleaseInput memory input,
        IManufacturerRegistry.KeySignature[] memory signatures
    ) internal returns (bytes memory refusal) {
        return _call(address(firmware), abi.encodeCall(firmware.publish, (manufacturerId, input, signatures)));
    }

    function _call(address target, bytes memory data) internal returns (bytes memory refusal) {
        (bool success, bytes memory answer) = target.call(data);
        if (success) return "";
        require(answer.length != 0, "a revert without a reason");
        return answer;
    }

    // ------------------------------------------------------------------------------------------------------------ judging

    function _accepted(bytes memory refusal, string memory what) internal pure {
        require(refusal.length == 0, string.concat(what, ": refused"));
    }

    function _refused(bytes memory refusal, bytes memory expected, string memory what) internal pure {
        require(refusal.length != 0, string.concat(what, ": accepted"));
        require(keccak256(refusal) == keccak256(expected), string.concat(what, ": another error"));
    }

    function _same(uint256 found, uint256 expected, string memory what) internal pure {
        require(found == expected, what);
    }

    function _same(bytes32 found, bytes32 expected, string memory what) internal pure {
        require(found == expected, what);
    }

    function _same(Installability found, Installability expected, string memory what) internal pure {
        require(found == expected, what);
    }
}
