// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDeviceRegistry} from "../../contracts/interfaces/IDeviceRegistry.sol";
import {IManufacturerRegistry} from "../../contracts/interfaces/IManufacturerRegistry.sol";
import {FleetHandler} from "./helpers/FleetHandler.sol";

/// The runner knows contracts of test files only.
contract FleetActions is FleetHandler {}

/// @notice What must hold after every transaction (THREATS.md, section 11): the handler's plain model and the registries agree.
contract FleetTest {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    string private constant DEVICES = "contracts/DeviceRegistry.sol:DeviceRegistry";

    FleetActions private handler;

    function setUp() public {
        handler = new FleetActions();
        handler.setUp(DEVICES);
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), actions());
    }

    /// hardhat-config: invariant.failOnRevert = true
    /// hardhat-config: invariant.runs = 16
    /// hardhat-config: invariant.depth = 100
    function invariant_registriesAgreeWithTheModel() public view {
        handler.compare(uint32(1 + (handler.calls() % 3)));
    }

    /// Walks of the handler's actions, in which every function is accepted and refused often enough: no action is dead.
    function test_handler_reachesEveryFunction() public {
        bytes4[] memory selectors = functions();
        uint256[] memory accepted = new uint256[](selectors.length);
        uint256[] memory refused = new uint256[](selectors.length);
        for (uint256 run = 0; run < 16; ++run) {
            FleetActions walked = new FleetActions();
            walked.setUp(DEVICES);
            walk(walked, run, 400);
            for (uint256 i = 0; i < selectors.length; ++i) {
                accepted[i] += walked.accepted(selectors[i]);
                refused[i] += walked.refused(selectors[i]);
            }
        }
        for (uint256 i = 0; i < selectors.length; ++i) {
            require(accepted[i] >= 8, string.concat("hardly ever accepted: ", name(selectors[i])));
            require(refused[i] >= 8, string.concat("hardly ever refused: ", name(selectors[i])));
        }
    }

    /// U3: whatever is changed behind the model's back is noticed: a defect that did the same would be, too.
    function test_plantedDefects_areCaught() public {
        walk(handler, 99, 120);
        uint256 caught = handler.plantAndCompare();
        require(caught == handler.PLANTED(), "a planted defect went unnoticed");
    }

    function walk(FleetActions walked, uint256 run, uint256 steps) private {
        bytes4[] memory selectors = actions();
        for (uint256 i = 0; i < steps; ++i) {
            uint256 seed = uint256(keccak256(abi.encode("walk", run, i)));
            (bool ok, bytes memory reason) = address(walked).call(
                abi.encodeWithSelector(selectors[seed % selectors.length], seed)
            );
            if (!ok) bubble(reason);
            if (i % 50 == 0) walked.compare(uint32(1 + ((i / 50) % 3)));
        }
        for (uint32 m = 1; m <= 3; ++m) walked.compare(m);
    }

    function bubble(bytes memory reason) private pure {
        assembly ("memory-safe") {
            revert(add(reason, 32), mload(reason))
        }
    }

    function actions() private view returns (bytes4[] memory selectors) {
        selectors = new bytes4[](29);
        bytes4[29] memory all = [
            handler.registerBatch.selector,
            handler.registerBatch.selector,
            handler.registerBatchFor.selector,
            handler.registerBatchFor.selector,
            handler.registerCredentials.selector,
            handler.registerIssued.selector,
            handler.revoke.selector,
            handler.hold.selector,
            handler.hold.selector,
            handler.unhold.selector,
            handler.revokeWords.selector,
            handler.revokeBatch.selector,
            handler.holdBatch.selector,
            handler.unholdBatch.selector,
            handler.revokeSelf.selector,
            handler.suspend.selector,
            handler.confirmSuspension.selector,
            handler.resume.selector,
            handler.declareCompromise.selector,
            handler.proposeController.selector,
            handler.replaceController.selector,
            handler.vetoReplacement.selector,
            handler.transferController.selector,
            handler.acceptController.selector,
            handler.resign.selector,
            handler.setOperator.selector,
            handler.addKey.selector,
            handler.revokeKey.selector,
            handler.advance.selector
        ];
        for (uint256 i = 0; i < all.length; ++i) selectors[i] = all[i];
    }

    /// Every function that changes a registry and that some account may call at once.
    function functions() private pure returns (bytes4[] memory selectors) {
        selectors = new bytes4[](26);
        bytes4[26] memory all = [
            IDeviceRegistry.registerBatch.selector,
            IDeviceRegistry.registerBatchFor.selector,
            IDeviceRegistry.registerCredentials.selector,
            IDeviceRegistry.registerIssued.selector,
            IDeviceRegistry.revoke.selector,
            IDeviceRegistry.hold.selector,
            IDeviceRegistry.unhold.selector,
            IDeviceRegistry.revokeWords.selector,
            IDeviceRegistry.revokeBatch.selector,
            IDeviceRegistry.holdBatch.selector,
            IDeviceRegistry.unholdBatch.selector,
            IDeviceRegistry.revokeSelf.selector,
            IManufacturerRegistry.suspend.selector,
            IManufacturerRegistry.confirmSuspension.selector,
            IManufacturerRegistry.resume.selector,
            IManufacturerRegistry.declareCompromise.selector,
            IManufacturerRegistry.declareCompromiseFor.selector,
            IManufacturerRegistry.proposeController.selector,
            IManufacturerRegistry.replaceController.selector,
            IManufacturerRegistry.vetoReplacement.selector,
            IManufacturerRegistry.transferController.selector,
            IManufacturerRegistry.acceptController.selector,
            IManufacturerRegistry.resign.selector,
            IManufacturerRegistry.setOperator.selector,
            IManufacturerRegistry.addKey.selector,
            IManufacturerRegistry.revokeKey.selector
        ];
        for (uint256 i = 0; i < all.length; ++i) selectors[i] = all[i];
    }

    function name(bytes4 selector) private pure returns (string memory) {
        bytes memory letters = new bytes(8);
        for (uint256 i = 0; i < 8; ++i) {
            uint8 nibble = uint8(selector[i / 2] >> (i % 2 == 0 ? 4 : 0)) & 15;
            letters[i] = bytes1(nibble < 10 ? 48 + nibble : 87 + nibble);
        }
        return string(letters);
    }
}
