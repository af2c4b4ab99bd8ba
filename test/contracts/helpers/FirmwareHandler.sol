// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IFirmwareRegistry} from "../../../contracts/interfaces/IFirmwareRegistry.sol";
import {Installability} from "../../../contracts/interfaces/IFirmwareRegistry.sol";
import {IManufacturerRegistry} from "../../../contracts/interfaces/IManufacturerRegistry.sol";
import {KeyPurpose} from "../../../contracts/interfaces/IManufacturerRegistry.sol";
import {ManufacturerStatus} from "../../../contracts/interfaces/IManufacturerRegistry.sol";
import {FirmwareFixture} from "./FirmwareFixture.sol";
import {FirmwareReplay} from "./FirmwareReplay.sol";
import {vm} from "./Vm.sol";

/// @title Calls the firmware registry in all ways, right and wrong, beside a plain model that says what must come of it.
/// @dev Three manufacturers and two products, so that calls collide. Reverts exactly when contract and model disagree.
contract FirmwareHandler is FirmwareFixture {
    uint32 public constant COUNT = 3;
    uint256 private constant INITIAL_KEYS = 5;
    uint256 private constant MOST_KEYS = 16;
    uint256 private constant INSTALLABILITIES = 8;

    struct ModelKey {
        uint256 secret;
        bool firmware;
        uint40 registeredAt;
        uint40 notBefore;
        uint40 notAfter;
        uint40 revokedAt;
        uint40 compromisedSince;
    }

    struct ModelManufacturer {
        address controller;
        address operator;
        uint40 operatorUntil;
        ManufacturerStatus status;
        uint40 since;
        uint40 suspendedUntil;
        /// Every word on the threshold, and when it counts; a later word takes the place of those not due yet.
        uint8[] thresholds;
        uint40[] saidAt;
        uint40[] effectiveAt;
        ModelKey[] keys;
    }

    struct ModelRelease {
        IFirmwareRegistry.ReleaseInput input;
        uint40 releasedAt;
        uint40 recalledAt;
        uint8 threshold;
        uint32[] signers;
        IManufacturerRegistry.KeySignature[] signatures;
    }

    FirmwareReplay public replay;

    mapping(uint32 manufacturerId => ModelManufacturer) private _manufacturers;
    mapping(uint32 manufacturerId => mapping(bytes32 product => ModelRelease[])) private _releases;
    mapping(uint32 manufacturerId => mapping(bytes32 product => uint64)) private _minimum;

    /// The highest values ever seen, straight from the contract.
    mapping(uint32 manufacturerId => mapping(bytes32 product => uint64)) private _seenLatest;
    mapping(uint32 manufacturerId => mapping(bytes32 product => uint64)) private _seenMinimum;

    /// How many calls of each kind took effect, and how often each verdict was given.
    mapping(string action => uint256 count) public accepted;
    mapping(string action => uint256 count) public refused;
    mapping(Installability verdict => uint256 count) public verdicts;

    uint256 private _random;
    uint256 private _images;

    constructor() {
        _deploy();
        for (uint32 id = 1; id <= COUNT; ++id) {
            ModelManufacturer storage model = _manufacturers[id];
            model.controller = address(uint160(0x1000 + id));
            model.operator = address(uint160(0x2000 + id));
            model.operatorUntil = id == 3 ? clock + 90 days : FAR;
            model.status = ManufacturerStatus.Active;
            model.since = clock;
            manufacturers.admit(model.controller, "Manufacturer", "");
            _setOperator(id, model.operator, 4, model.operatorUntil);
            _setOperator(id, _weakOperator(id), 3, FAR);
            for (uint256 i = 1; i <= INITIAL_KEYS; ++i)
                _modelKey(id, KeyPurpose.Firmware, i == 5 ? clock + 200 days : FAR);
            _modelKey(id, KeyPurpose.Issuer, FAR);
        }
        replay = new FirmwareReplay(address(firmware));
        _wait(KEY_DELAY);
    }

    // ------------------------------------------------------------------------------------------------------------ actions

    function publish(uint256 seed) public {
        (uint32 id, bytes32 product) = _start(seed);
        ModelRelease[] storage known = _releases[id][product];
        IFirmwareRegistry.ReleaseInput memory input = IFirmwareRegistry.ReleaseInput({
            product: product,
            securityVersion: _modelLatest(id, product) + [uint64(1), 1, 1, 1, 1, 2, 3, 1_024, 1_025, 0][_pick(10)],
            imageDigest: keccak256(abi.encode("image", ++_images)),
            manifestDigest: _pick(3) == 0 ? bytes32(0) : keccak256(abi.encode("manifest", _images)),
            version: _pick(40) == 0 ? "\n" : "1.4.0",
            uri: _pick(40) == 0 ? "\x7f" : "https://acme.example/app.bin"
        });
        bool reused = known.length != 0 && _pick(8) == 0;
        if (reused) {
            input.imageDigest = known[_pick(known.length)].input.imageDigest;
            // Else it could be a repetition.
            input.manifestDigest = keccak256(abi.encode("another manifest", _images));
        }

        uint32[] memory signers = _chooseSigners(id);
        uint256 trick = _pick(32);
        (IManufacturerRegistry.KeySignature[] memory signatures, bool good) = _signTricked(id, input, signers, trick);
        bool expected =
            good &&
                !reused &&
                _fits(id, input) &&
                signatures.length >= _modelThreshold(id) &&
                signatures.length <= 8 &&
                _statusNow(id) == ManufacturerStatus.Active &&
                _maySign(id, signers);

        uint8 needed = _modelThreshold(id);
        vm.prank(_anyone(id));
        _finish("publish", _publish(id, input, signatures), expected);
        if (!expected) return;
        ModelRelease storage added = known.push();
        added.input = input;
        added.releasedAt = clock;
        added.threshold = needed;
        for (uint256 i = 0; i < signers.length; ++i) {
            added.signers.push(signers[i]);
            added.signatures.push(signatures[i]);
        }
        _checkRelease(id, product, known.length - 1);
    }

    /// @dev What was published is published again: with the same signatures, or with its texts changed and none.
    function repeat(uint256 seed) public {
        (uint32 id, bytes32 product) = _start(seed);
        ModelRelease[] storage known = _releases[id][product];
        if (known.length == 0) return;
        ModelRelease storage model = known[_pick(known.length)];
        IFirmwareRegistry.ReleaseInput memory input = model.input;
        IManufacturerRegistry.KeySignature[] memory signatures = model.signatures;
        if (_pick(4) == 0) {
            input.version = "changed";
            signatures = new IManufacturerRegistry.KeySignature[](0);
        }
        (, uint64 length) = firmware.logHead(id);
        vm.prank(_anyone(id));
        _finish("repeat", _publish(id, input, signatures), true);
        (, uint64 lengthAfter) = firmware.logHead(id);
        _same(lengthAfter, length, "a repetition was logged");
    }

    function recall(uint256 seed) public {
        (uint32 id, bytes32 product) = _start(seed);
        ModelRelease[] storage known = _releases[id][product];
        if (known.length == 0) return;
        uint256 index = _pick(known.length);
        // Most releases stay, so that there is something to install.
        if (known[index].recalledAt == 0 && _pick(3) != 0) return;
        uint64 version = known[index].input.securityVersion;
        bool exists = true;
        if (_pick(4) == 0) {
            ++version;
            exists = index + 1 < known.length && known[index + 1].input.securityVersion == version;
            if (exists) ++index;
        }
        address actor = _anyone(id);
        bool expected = exists && _mayRelease(id, actor) && known[index].recalledAt == 0;
        vm.prank(actor);
        _finish(
            "recall",
            _call(address(firmware), abi.encodeCall(firmware.recall, (id, product, version, "bricks radio"))),
            expected
        );
        if (expected) known[index].recalledAt = clock;
        _checkRelease(id, product, index);
    }

    function raiseMinimum(uint256 seed) public {
        (uint32 id, bytes32 product) = _start(seed);
        uint64 latest = _modelLatest(id, product);
        uint64 current = _minimum[id][product];
        uint64 wanted = [current, current + 1, current + 1, latest, latest + 1, current + (latest - current) / 4][
            _pick(6)
        ];
        address actor = _anyone(id);
        bool expected = wanted > current && wanted <= latest && _mayRelease(id, actor);
        vm.prank(actor);
        _finish(
            "raiseMinimum",
            _call(address(firmware), abi.encodeCall(firmware.raiseMinimum, (id, product, wanted))),
            expected
        );
        if (expected) _minimum[id][product] = wanted;
    }

    function setThreshold(uint256 seed) public {
        (uint32 id, ) = _start(seed);
        ModelManufacturer storage model = _manufacturers[id];
        // Mostly low, else hardly anything could be published.
        uint8 wanted = _pick(4) == 0 ? uint8(_pick(10)) : uint8(1 + _pick(3));
        uint8 current = _modelThreshold(id);
        address actor = _anyone(id);
        bool lowers = wanted < current;
        bool expected =
            wanted >= 1 &&
                wanted <= 8 &&
                actor == model.controller &&
                !(lowers && _statusNow(id) != ManufacturerStatus.Active);
        vm.prank(actor);
        _finish(
            "setThreshold",
            _call(address(firmware), abi.encodeCall(firmware.setThreshold, (id, wanted))),
            expected
        );
        if (!expected) return;
        model.thresholds.push(wanted);
        model.saidAt.push(clock);
        model.effectiveAt.push(lowers ? clock + KEY_DELAY : clock);
    }

    function addKey(uint256 seed) public {
        (uint32 id, ) = _start(seed);
        if (_manufacturers[id].keys.length >= MOST_KEYS || _statusNow(id) != ManufacturerStatus.Active) return;
        _modelKey(id, KeyPurpose.Firmware, FAR);
        ++accepted["addKey"];
    }

    function revokeKey(uint256 seed) public {
        (uint32 id, ) = _start(seed);
        uint256 index = _pick(_manufacturers[id].keys.length);
        ModelKey storage key = _manufacturers[id].keys[index];
        if (key.revokedAt != 0 || !_canSpareKey(id)) return;
        vm.prank(_manufacturers[id].controller);
        manufacturers.revokeKey(id, uint32(index + 1));
        key.revokedAt = clock;
        ++accepted["revokeKey"];
    }

    /// @dev Dates the compromise around a release that the key signed, if it signed one.
    function compromiseKey(uint256 seed) public {
        (uint32 id, bytes32 product) = _start(seed);
        uint256 index = _pick(_manufacturers[id].keys.length);
        ModelKey storage key = _manufacturers[id].keys[index];
        if (!_canSpareKey(id)) return;
        ModelRelease[] storage known = _releases[id][product];
        uint40 since = clock;
        if (known.length != 0) {
            ModelRelease storage some = known[_pick(known.length)];
            since = some.releasedAt - 1 + uint40(_pick(3));
            index = some.signers[_pick(some.signers.length)] - 1;
            key = _manufacturers[id].keys[index];
        }
        if (since < key.registeredAt || since > clock) return;
        if (key.compromisedSince != 0 && since >= key.compromisedSince) return;
        vm.prank(_manufacturers[id].controller);
        manufacturers.declareCompromise(id, uint32(index + 1), since);
        key.compromisedSince = since;
        ++accepted["compromiseKey"];
    }

    /// @dev Suspends, confirms or resumes, whichever can be; the third manufacturer may leave.
    function govern(uint256 seed) public {
        (uint32 id, ) = _start(seed);
        ModelManufacturer storage model = _manufacturers[id];
        ManufacturerStatus status = _statusNow(id);
        if (status == ManufacturerStatus.Left) return;
        if (status == ManufacturerStatus.Suspended) {
            if (_pick(4) == 0) {
                manufacturers.confirmSuspension(id);
                model.suspendedUntil = 0;
            } else {
                manufacturers.resume(id);
                model.status = ManufacturerStatus.Active;
                model.since = clock;
                ++accepted["resume"];
            }
        } else if (id == 3 && _pick(16) == 0) {
            vm.prank(model.controller);
            manufacturers.resign(id);
            model.status = ManufacturerStatus.Left;
            model.since = clock;
            ++accepted["resign"];
        } else if (_pick(3) == 0) {
            manufacturers.suspend(id);
            model.status = ManufacturerStatus.Suspended;
            model.since = clock;
            model.suspendedUntil = clock + 14 days;
            ++accepted["suspend"];
        }
    }

    function passTime(uint256 seed) public {
        _random = seed;
        uint256[6] memory times = [uint256(1), 1, KEY_DELAY - 1, KEY_DELAY, 14 days - 1, _pick(3 days)];
        _wait(times[_pick(6)]);
    }

    /// @dev Any action; the way in for tests that count what took effect.
    function step(uint256 seed) external {
        uint256 action = seed % 20;
        seed >>= 8;
        if (action < 8) publish(seed);
        else if (action == 8) repeat(seed);
        else if (action < 11) recall(seed);
        else if (action == 11) raiseMinimum(seed);
        else if (action < 14) setThreshold(seed);
        else if (action == 14) addKey(seed);
        else if (action == 15) revokeKey(seed);
        else if (action == 16) compromiseKey(seed);
        else if (action == 17) govern(seed);
        else passTime(seed);
    }

    // ------------------------------------------------------------------------------------------------------------- checks

    /// @notice Heads, thresholds, latest and minimum of all; releases only of one product.
    function check(uint256 seed) external {
        _random = seed;
        for (uint32 id = 1; id <= COUNT; ++id) _checkManufacturer(id);
        _same(firmware.globalLogHead(), replay.globalHead(), "global head");
        (uint32 some, bytes32 product) = (uint32(1 + _pick(COUNT)), _product(_pick(2)));
        uint256 count = _releases[some][product].length;
        for (uint256 i = 0; i < 3 && count != 0; ++i) _checkRelease(some, product, _pick(count));
    }

    /// @notice Everything.
    function checkAll() external {
        for (uint32 id = 1; id <= COUNT; ++id) {
            _checkManufacturer(id);
            for (uint256 i = 0; i < 2; ++i) {
                bytes32 product = _product(i);
                for (uint256 j = 0; j < _releases[id][product].length; ++j) _checkRelease(id, product, j);
            }
        }
        _same(firmware.globalLogHead(), replay.globalHead(), "global head");
    }

    function _checkManufacturer(uint32 id) private {
        (bytes32 head, uint64 length) = firmware.logHead(id);
        _same(head, replay.head(id), "head");
        _same(length, replay.lengths(id), "length");
        (uint8 current, uint8 pending, uint40 pendingAt) = firmware.threshold(id);
        _same(current, _modelThreshold(id), "threshold");
        _same(current, replay.threshold(id, clock), "threshold by events");
        require(current >= 1 && current <= 8, "threshold out of range");
        require((pending == 0) == (pendingAt == 0) && (pendingAt == 0 || pendingAt > clock), "pending");

        for (uint256 i = 0; i < 2; ++i) {
            bytes32 product = _product(i);
            uint64 latest = firmware.latest(id, product).securityVersion;
            uint64 minimum = firmware.minimumSecurityVersion(id, product);
            _same(latest, _modelLatest(id, product), "latest");
            _same(latest, replay.latest(id, product), "latest by events");
            _same(minimum, _minimum[id][product], "minimum");
            _same(minimum, replay.minimum(id, product), "minimum by events");
            // I14
            require(latest >= _seenLatest[id][product], "latest fell");
            require(minimum >= _seenMinimum[id][product], "minimum fell");
            require(minimum <= latest, "minimum above latest");
            _seenLatest[id][product] = latest;
            _seenMinimum[id][product] = minimum;
        }
    }

    /// @dev A release is what it was when it was published (I4: and recalled if it ever was); I15; its verdict is the model's.
    function _checkRelease(uint32 id, bytes32 product, uint256 index) private {
        ModelRelease storage model = _releases[id][product][index];
        uint64 version = model.input.securityVersion;
        IFirmwareRegistry.Release memory found = firmware.release(id, product, version);
        bytes32 whole = keccak256(
            abi.encode(
                IFirmwareRegistry.Release({
                    securityVersion: version,
                    imageDigest: model.input.imageDigest,
                    manifestDigest: model.input.manifestDigest,
                    releasedAt: model.releasedAt,
                    recalledAt: model.recalledAt,
                    threshold: model.threshold,
                    signers: model.signers
                })
            )
        );
        _same(keccak256(abi.encode(found)), whole, "a release changed");
        IFirmwareRegistry.Release memory byImage = firmware.releaseByImage(id, product, model.input.imageDigest);
        _same(keccak256(abi.encode(byImage)), whole, "a release by its image changed");
        _checkReplayed(id, product, found);
        _checkSigners(id, found);

        uint64[3] memory installed = [0, version, version + 1];
        for (uint256 i = 0; i < 3; ++i) {
            IFirmwareRegistry.InstallVerdict memory verdict = firmware.isInstallable(
                id,
                product,
                model.input.imageDigest,
                installed[i]
            );
            _same(verdict.installability, _modelVerdict(id, model, installed[i]), "installability");
            _same(verdict.securityVersion, version, "security version");
            ++verdicts[verdict.installability];
        }
    }

    function _checkReplayed(uint32 id, bytes32 product, IFirmwareRegistry.Release memory found) private view {
        FirmwareReplay.Rebuilt memory rebuilt = replay.release(id, product, found.securityVersion);
        uint128 signers = 0;
        for (uint256 i = 0; i < found.signers.length; ++i) signers = signers * 65_536 + found.signers[i];
        _same(rebuilt.imageDigest, found.imageDigest, "image by events");
        _same(rebuilt.manifestDigest, found.manifestDigest, "manifest by events");
        _same(rebuilt.releasedAt, found.releasedAt, "release time by events");
        _same(rebuilt.recalledAt, found.recalledAt, "recall time by events");
        _same(rebuilt.threshold, found.threshold, "threshold of a release by events");
        _same(rebuilt.signers, signers, "signers by events");
    }

    /// @dev I15, by what the registry of manufacturers says now: at least k keys, distinct, for firmware, begun and not over then.
    function _checkSigners(uint32 id, IFirmwareRegistry.Release memory found) private view {
        require(found.threshold >= 1 && found.signers.length >= found.threshold, "fewer than k signers");
        for (uint256 i = 0; i < found.signers.length; ++i) {
            require(i == 0 || found.signers[i] > found.signers[i - 1], "a signer counted twice");
            IManufacturerRegistry.Key memory key = manufacturers.key(id, found.signers[i]);
            require(key.purpose == KeyPurpose.Firmware && key.proven, "not a firmware key");
            require(found.releasedAt >= key.notBefore && found.releasedAt < key.notAfter, "a key not in its validity");
            require(key.revokedAt == 0 || found.releasedAt <= key.revokedAt, "a retired key");
        }
    }

    uint256 public constant PLANTED = 13;

    /// @notice Alters one stored field at a time, as a defect would, and puts it back.
    /// @return caught How many of them the checks noticed.
    function plantAndCheck() external returns (uint256 caught) {
        // Slots from client/abi/storageLayout.ts: heads 0 and 1, thresholds 12, products 13.
        bytes32 product = _product(0);
        IFirmwareRegistry.ReleaseInput memory input = _releases[1][product][0].input;
        uint256 stored = uint256(keccak256(abi.encode(product, keccak256(abi.encode(uint256(1), uint256(13))))));
        // Latest and minimum; the image of a version.
        caught += _plant(stored, 1) + _plant(stored, 1 << 64);
        caught += _plant(uint256(keccak256(abi.encode(uint256(input.securityVersion), stored + 1))), 1);
        // A manifest; a release's version, time, recall, threshold and signers.
        uint256 release = uint256(keccak256(abi.encode(input.imageDigest, stored + 2)));
        caught += _plant(release, 1) + _plant(release + 1, 1) + _plant(release + 1, 1 << 40);
        caught += _plant(release + 1, 1 << 80) + _plant(release + 1, 1 << 120) + _plant(release + 1, 1 << 128);
        // A head, a length, the global head; a threshold, with or without one that is pending.
        uint256 log = uint256(keccak256(abi.encode(uint256(1), uint256(1))));
        caught += _plant(log, 1) + _plant(log + 1, 1) + _plant(0, 1);
        caught += _plant(uint256(keccak256(abi.encode(uint256(1), uint256(12)))), 0x0404);
    }

    function _plant(uint256 slot, uint256 bits) private returns (uint256) {
        bytes32 before = vm.load(address(firmware), bytes32(slot));
        vm.store(address(firmware), bytes32(slot), before ^ bytes32(bits));
        bool noticed = false;
        try this.checkAll() {} catch {
            noticed = true;
        }
        vm.store(address(firmware), bytes32(slot), before);
        this.checkAll();
        return noticed ? 1 : 0;
    }

    // -------------------------------------------------------------------------------------------------------------- model

    function _modelVerdict(
        uint32 id,
        ModelRelease storage model,
        uint64 installed
    ) private view returns (Installability) {
        if (model.recalledAt != 0) return Installability.Recalled;
        uint256 good = 0;
        for (uint256 i = 0; i < model.signers.length; ++i) {
            ModelKey storage key = _manufacturers[id].keys[model.signers[i] - 1];
            bool retired = key.revokedAt != 0 && model.releasedAt >= key.revokedAt;
            bool compromised = key.compromisedSince != 0 && model.releasedAt >= key.compromisedSince;
            if (!retired && !compromised) ++good;
        }
        if (good < model.threshold) return Installability.SignaturesVoid;
        ManufacturerStatus status = _statusNow(id);
        if (status == ManufacturerStatus.Suspended) return Installability.ManufacturerSuspended;
        if (status == ManufacturerStatus.Left && model.releasedAt >= _manufacturers[id].since) {
            return Installability.ManufacturerLeft;
        }
        if (model.input.securityVersion < _minimum[id][model.input.product]) return Installability.BelowMinimum;
        if (model.input.securityVersion < installed) return Installability.BelowInstalled;
        return Installability.Installable;
    }

    function _modelLatest(uint32 id, bytes32 product) private view returns (uint64) {
        ModelRelease[] storage known = _releases[id][product];
        return known.length == 0 ? 0 : known[known.length - 1].input.securityVersion;
    }

    /// @dev The last word that is due and that no later word came before.
    function _modelThreshold(uint32 id) private view returns (uint8) {
        ModelManufacturer storage model = _manufacturers[id];
        uint256 overruledAt = type(uint256).max;
        for (uint256 i = model.thresholds.length; i != 0; --i) {
            if (model.effectiveAt[i - 1] <= clock && model.effectiveAt[i - 1] <= overruledAt) {
                return model.thresholds[i - 1];
            }
            overruledAt = model.saidAt[i - 1];
        }
        return 1;
    }

    function _statusNow(uint32 id) private view returns (ManufacturerStatus) {
        ModelManufacturer storage model = _manufacturers[id];
        bool lapsed = model.suspendedUntil != 0 && clock >= model.suspendedUntil;
        if (model.status == ManufacturerStatus.Suspended && lapsed) return ManufacturerStatus.Active;
        return model.status;
    }

    function _maySign(uint32 id, uint32[] memory signers) private view returns (bool) {
        for (uint256 i = 0; i < signers.length; ++i) {
            if (!_isCurrent(_manufacturers[id].keys[signers[i] - 1])) return false;
        }
        return true;
    }

    function _isCurrent(ModelKey storage key) private view returns (bool) {
        return
            key.firmware &&
            clock >= key.notBefore &&
            clock < key.notAfter &&
            key.revokedAt == 0 &&
            key.compromisedSince == 0;
    }

    /// @dev Else soon nobody could publish anything.
    function _canSpareKey(uint32 id) private view returns (bool) {
        ModelKey[] storage keys = _manufacturers[id].keys;
        uint256 current = 0;
        for (uint256 i = 0; i < keys.length; ++i) if (_isCurrent(keys[i])) ++current;
        return current > 3;
    }

    function _mayRelease(uint32 id, address actor) private view returns (bool) {
        ModelManufacturer storage model = _manufacturers[id];
        return actor == model.controller || (actor == model.operator && clock < model.operatorUntil);
    }

    function _fits(uint32 id, IFirmwareRegistry.ReleaseInput memory input) private view returns (bool) {
        uint64 latest = _modelLatest(id, input.product);
        return
            input.securityVersion > latest &&
            input.securityVersion <= latest + 1_024 &&
            bytes(input.version)[0] != "\n" &&
            bytes(input.uri)[0] != "\x7f";
    }

    // ------------------------------------------------------------------------------------------------------------ choices

    function _start(uint256 seed) private returns (uint32 id, bytes32 product) {
        _random = seed;
        vm.recordLogs();
        return (uint32(1 + _pick(COUNT)), _product(_pick(2)));
    }

    function _finish(string memory action, bytes memory refusal, bool expected) private {
        if (expected) _accepted(refusal, action);
        else require(refusal.length != 0, string.concat(action, ": accepted, and the model refuses"));
        if (expected) ++accepted[action];
        else ++refused[action];
        uint256 entries = replay.replay(vm.getRecordedLogs(), clock);
        bool logs = expected && keccak256(bytes(action)) != keccak256("repeat");
        _same(entries, logs ? 1 : 0, "entries of one call");
    }

    function _pick(uint256 count) private returns (uint256) {
        _random = uint256(keccak256(abi.encode(_random)));
        return _random % count;
    }

    function _product(uint256 index) private pure returns (bytes32) {
        return index == 0 ? bytes32("acme-9271") : bytes32(0);
    }

    function _weakOperator(uint32 id) private pure returns (address) {
        return address(uint160(0x3000 + id));
    }

    /// @dev Three quarters are right: the controller, or the operator.
    function _anyone(uint32 id) private returns (address) {
        uint256 who = _pick(16);
        if (who < 8) return _manufacturers[id].controller;
        if (who < 12) return _manufacturers[id].operator;
        if (who == 12) return _weakOperator(id);
        if (who == 13) return _manufacturers[1 + (id % COUNT)].controller;
        if (who == 14) return address(this);
        return address(0xBAD);
    }

    /// @dev Ascending. Mostly current keys, as many as are needed or one more; else any.
    function _chooseSigners(uint32 id) private returns (uint32[] memory signers) {
        ModelKey[] storage keys = _manufacturers[id].keys;
        bool sensible = _pick(4) != 0;
        uint256 most = sensible ? _modelThreshold(id) + _pick(2) : keys.length;
        uint256 mask = sensible ? type(uint256).max : _pick(1 << keys.length);
        uint32[] memory chosen = new uint32[](keys.length);
        uint256 count = 0;
        // From a random place on, so that it is not always the first keys.
        uint256 first = _pick(keys.length);
        bool[] memory taken = new bool[](keys.length);
        for (uint256 i = 0; i < keys.length && count < most; ++i) {
            uint256 index = (first + i) % keys.length;
            if ((mask >> index) & 1 == 0 || (sensible && !_isCurrent(keys[index]))) continue;
            taken[index] = true;
            ++count;
        }
        count = 0;
        for (uint32 i = 0; i < keys.length; ++i) if (taken[i]) chosen[count++] = i + 1;
        signers = new uint32[](count);
        for (uint256 i = 0; i < count; ++i) signers[i] = chosen[i];
    }

    /// @return signatures By the signers, with something wrong in seven of 32 cases.
    /// @return good Whether nothing is wrong with them.
    function _signTricked(
        uint32 id,
        IFirmwareRegistry.ReleaseInput memory input,
        uint32[] memory signers,
        uint256 trick
    ) private returns (IManufacturerRegistry.KeySignature[] memory signatures, bool good) {
        uint256 count = signers.length;
        signatures = new IManufacturerRegistry.KeySignature[](count);
        if (count == 0) return (signatures, true);
        bytes32 digest = _releaseDigest(id, input);
        bytes32 foreign = digest;
        uint64 version = input.securityVersion;
        bytes32 product = input.product;
        if (trick == 0) foreign = _releaseDigest(1 + (id % COUNT), input);
        if (trick == 1) input.product = _product(product == 0 ? 0 : 1);
        if (trick == 2) ++input.securityVersion;
        if (trick == 1 || trick == 2) foreign = _releaseDigest(id, input);
        input.securityVersion = version;
        input.product = product;
        if (trick == 3) foreign = _digest("Fleetroot FirmwareRegistry", address(manufacturers), _statement(id, input));

        uint256 wrong = _pick(count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 secret = _manufacturers[id].keys[signers[i] - 1].secret;
            signatures[i] = _signature(
                trick == 4 && i == wrong ? secret + 1 : secret,
                signers[i],
                i == wrong ? foreign : digest
            );
        }
        if (trick == 5 && count > 1) (signatures[0], signatures[1]) = (signatures[1], signatures[0]);
        if (trick == 6 && count > 1) signatures[1] = signatures[0];
        return (signatures, trick > 6 || (trick > 4 && count == 1));
    }

    // -------------------------------------------------------------------------------------------------------------- set-up

    function _modelKey(uint32 id, KeyPurpose purpose, uint40 notAfter) private {
        ModelKey storage key = _manufacturers[id].keys.push();
        uint32 index = uint32(_manufacturers[id].keys.length);
        key.secret = uint256(id) * 1_000_000 + uint256(index) * 1_000;
        key.firmware = purpose == KeyPurpose.Firmware;
        key.registeredAt = clock;
        key.notBefore = key.firmware ? clock + KEY_DELAY : clock;
        key.notAfter = notAfter;
        _same(_addKey(id, _manufacturers[id].controller, key.secret, purpose, notAfter), index, "key index");
    }

    function _setOperator(uint32 id, address account, uint8 rights, uint40 until) private {
        vm.prank(_manufacturers[id].controller);
        manufacturers.setOperator(id, account, rights, until);
    }
}
