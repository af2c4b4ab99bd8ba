// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Installability} from "../../contracts/interfaces/IFirmwareRegistry.sol";
import {FirmwareHandler} from "./helpers/FirmwareHandler.sol";

/// @dev The test runner calls only contracts that it finds in the files it was asked to run.
contract KnownFirmwareHandler is FirmwareHandler {}

/// @title I4, I14, I15 and I16 for releases: contract, plain model and a replay of the events agree after every call.
contract FirmwareInvariants {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    FirmwareHandler private _handler;
    uint256 private _checks;

    function setUp() public {
        _handler = new KnownFirmwareHandler();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](12);
        selectors[0] = selectors[1] = selectors[2] = FirmwareHandler.publish.selector;
        selectors[3] = FirmwareHandler.repeat.selector;
        selectors[4] = FirmwareHandler.recall.selector;
        selectors[5] = FirmwareHandler.raiseMinimum.selector;
        selectors[6] = FirmwareHandler.setThreshold.selector;
        selectors[7] = FirmwareHandler.addKey.selector;
        selectors[8] = FirmwareHandler.revokeKey.selector;
        selectors[9] = FirmwareHandler.compromiseKey.selector;
        selectors[10] = FirmwareHandler.govern.selector;
        selectors[11] = FirmwareHandler.passTime.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector({addr: address(_handler), selectors: selectors});
    }

    /// hardhat-config: invariant.failOnRevert = true
    function invariant_contractModelAndReplayAgree() public {
        _handler.check(++_checks);
    }

    /// @dev The same handler in long sequences, which end with a look at everything; no action is dead, every verdict is met.
    /// hardhat-config: fuzz.runs = 8
    function testFuzz_everyActionTakesEffectAndIsRefused(uint256 seed) public {
        for (uint256 i = 0; i < 500; ++i) {
            _handler.step(uint256(keccak256(abi.encode(seed, i))));
            if (i % 8 == 0) _handler.check(i);
        }
        _handler.checkAll();

        _atLeast("publish", 20, 40);
        _atLeast("repeat", 8, 0);
        _atLeast("recall", 2, 1);
        _atLeast("raiseMinimum", 2, 4);
        _atLeast("setThreshold", 8, 8);
        _atLeast("addKey", 3, 0);
        _atLeast("revokeKey", 2, 0);
        _atLeast("compromiseKey", 1, 0);
        _atLeast("suspend", 1, 0);
        require(_handler.verdicts(Installability.Installable) != 0, "never installable");
        require(_handler.verdicts(Installability.Recalled) != 0, "never recalled");
        require(_handler.verdicts(Installability.SignaturesVoid) != 0, "never void");
        require(_handler.verdicts(Installability.ManufacturerSuspended) != 0, "never suspended");
        require(_handler.verdicts(Installability.BelowMinimum) != 0, "never below the minimum");
        require(_handler.verdicts(Installability.BelowInstalled) != 0, "never a roll-back");
    }

    /// @dev U3: whatever is changed behind the model's back is noticed; a defect that did the same would be, too.
    function test_plantedDefects_areCaught() public {
        for (uint256 i = 0; i < 100; ++i) _handler.step(uint256(keccak256(abi.encode("planted", i))));
        require(_handler.plantAndCheck() == _handler.PLANTED(), "a planted defect went unnoticed");
    }

    function _atLeast(string memory action, uint256 accepted, uint256 refused) private view {
        require(_handler.accepted(action) >= accepted, string.concat(action, " hardly ever takes effect"));
        require(_handler.refused(action) >= refused, string.concat(action, " is hardly ever refused"));
    }
}
