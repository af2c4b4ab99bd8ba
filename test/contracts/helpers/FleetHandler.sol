// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {CredentialKind} from "../../../contracts/interfaces/IDeviceRegistry.sol";
import {IDeviceRegistry} from "../../../contracts/interfaces/IDeviceRegistry.sol";
import {IManufacturerRegistry} from "../../../contracts/interfaces/IManufacturerRegistry.sol";
import {KeyPurpose} from "../../../contracts/interfaces/IManufacturerRegistry.sol";
import {FleetModel} from "./FleetModel.sol";
import {LogReplay} from "./LogReplay.sol";
import {vm} from "./Vm.sol";

/// @notice Every function of the registries, called with few manufacturers, series and places so that calls collide, by wrong people a
/// quarter of the time, at the edges of windows. Before each call the model says whether it must be accepted; afterwards both
/// must hold the same. Every action takes one seed.
abstract contract FleetHandler is FleetModel, LogReplay {
    error Disagreement(bytes4 selector, bool accepted, bytes answer);

    mapping(bytes4 selector => uint256 count) public accepted;
    mapping(bytes4 selector => uint256 count) public refused;
    uint256 public calls;

    function setUp(string memory devicesArtifact) external {
        growTrees();
        deployWith(0, 0, devicesArtifact);
        startReplay(address(manufacturers));
        startReplay(address(devices));
        for (uint32 m = 1; m <= 3; ++m) {
            admit(controllerOf(m));
            man[m].controller = controllerOf(m);
            man[m].status = ACTIVE;
            man[m].statusSince = time();
            addModelKey(m, 100 * m + 1, 1, 0, FAR);
            addModelKey(m, 100 * m + 2, 2, 0, FAR);
            setModelOperator(m, address(uint160(0xB0 + m)), 7, FAR);
            setModelOperator(m, address(uint160(0xC0 + m)), 1, FAR);
            setModelOperator(m, address(uint160(0xD0 + m)), 2, FAR);
        }
        replay();
    }

    // ------------------------------------------------------------------------------------------------------- registration

    function registerBatch(uint256 seed) external {
        uint32 m = manufacturer(seed);
        IDeviceRegistry.BatchInput memory input = someBatch(seed);
        address actor = somebody(seed, m);
        bool expected =
            may(m, actor, 1) &&
                isActive(m) &&
                isCurrent(m, input.keyIndex, 1) &&
                input.series < 1 << 31 &&
                batchOf[m][input.series].size == 0 &&
                input.notAfter >= time();
        if (!attempt(actor, address(devices), abi.encodeCall(devices.registerBatch, (m, input)), expected, 1)) return;
        recordBatch(m, input, treeOf(seed), 0);
    }

    function registerBatchFor(uint256 seed) external {
        uint32 m = manufacturer(seed);
        IDeviceRegistry.BatchInput memory input = someBatch(seed);
        uint8 kind = uint8(pick(seed, 20, 2));
        ModelBatch storage known = batchOf[m][input.series];
        bool same =
            known.size == input.size &&
                known.root == input.root &&
                known.keyIndex == input.keyIndex &&
                known.notAfter == input.notAfter &&
                known.flags == 1 + 2 * kind;
        bool honest = pick(seed, 21, 4) != 0;
        bool expected =
            same ||
                (honest &&
                    isActive(m) &&
                    isCurrent(m, input.keyIndex, 1) &&
                    known.size == 0 &&
                    input.notAfter >= time());
        bytes memory call_ = batchForCall(m, input, kind, honest);
        if (!attempt(somebody(seed, m), address(devices), call_, expected, same ? 0 : 1) || same) return;
        recordBatch(m, input, treeOf(seed), 1 + 2 * kind);
    }

    function registerCredentials(uint256 seed) external {
        uint32 m = manufacturer(seed);
        uint32 keyIndex = someKey(seed, m);
        address actor = somebody(seed, m);
        (bytes32[] memory hashes, uint40[] memory ends) = someCredentials(seed);
        bool expected = may(m, actor, 1) && isActive(m) && isCurrent(m, keyIndex, 2);
        uint256 fresh = 0;
        for (uint256 i = 0; i < hashes.length; ++i) {
            if (ends[i] != 0 && ends[i] < time()) expected = false;
            ModelRecord storage r = recordOf[m][hashes[i]];
            bool repeated = i > 0 && hashes[0] == hashes[i];
            if (r.registeredAt == 0 && r.mark != 0) expected = false;
            if (r.registeredAt != 0 && r.keyIndex != keyIndex) expected = false;
            if (r.registeredAt == 0 && !repeated) ++fresh;
        }
        bytes memory call_ = abi.encodeCall(devices.registerCredentials, (m, keyIndex, hashes, ends));
        if (!attempt(actor, address(devices), call_, expected, fresh)) return;
        for (uint256 i = 0; i < hashes.length; ++i) recordCredential(m, hashes[i], keyIndex, ends[i]);
    }

    function registerIssued(uint256 seed) external {
        uint32 m = manufacturer(seed);
        uint32 keyIndex = someKey(seed, m);
        bytes32 hash = subjects[pick(seed, 30, credentials)];
        bool honest = pick(seed, 31, 4) != 0;
        ModelRecord storage r = recordOf[m][hash];
        bool same = r.registeredAt != 0 && r.keyIndex == keyIndex;
        bool expected =
            same || (honest && isActive(m) && isCurrent(m, keyIndex, 2) && r.registeredAt == 0 && r.mark == 0);
        bytes memory call_ = issuedCall(m, keyIndex, hash, honest);
        if (attempt(somebody(seed, m), address(devices), call_, expected, same ? 0 : 1)) {
            recordCredential(m, hash, keyIndex, 0);
        }
    }

    // ---------------------------------------------------------------------------------------------------------- revocation

    function revoke(uint256 seed) external {
        uint32 m = manufacturer(seed);
        address actor = somebody(seed, m);
        IDeviceRegistry.Target[] memory targets = someTargets(seed);
        uint8 reason = uint8(pick(seed, 40, 8));
        uint40 invalidity = pick(seed, 41, 6) == 0 ? time() + 1 : uint40(pick(seed, 42, 2) * time());
        bool expected = may(m, actor, 2) && reason < 6 && invalidity <= time();
        uint256 fresh = 0;
        for (uint256 i = 0; i < targets.length; ++i) {
            if (targets[i].subject == 0) expected = false;
            bool repeated = i > 0 && targets[0].subject == targets[i].subject;
            if (recordOf[m][targets[i].subject].mark != REVOKED && !repeated) ++fresh;
        }
        bytes memory call_ = abi.encodeCall(devices.revoke, (m, targets, reason, invalidity));
        if (!attempt(actor, address(devices), call_, expected, fresh)) return;
        for (uint256 i = 0; i < targets.length; ++i) markRevoked(m, targets[i].subject, reason, invalidity);
    }

    function hold(uint256 seed) external {
        uint32 m = manufacturer(seed);
        address actor = somebody(seed, m);
        IDeviceRegistry.Target[] memory targets = someTargets(seed);
        bool expected = may(m, actor, 2);
        uint256 fresh = 0;
        for (uint256 i = 0; i < targets.length; ++i) {
            uint8 mark = recordOf[m][targets[i].subject].mark;
            if (targets[i].subject == 0 || mark == HELD) expected = false;
            if (i > 0 && targets[0].subject == targets[i].subject && mark != REVOKED) expected = false;
            if (mark == 0) ++fresh;
        }
        if (!attempt(actor, address(devices), abi.encodeCall(devices.hold, (m, targets)), expected, fresh)) return;
        for (uint256 i = 0; i < targets.length; ++i) setMark(m, targets[i].subject, HELD);
    }

    function unhold(uint256 seed) external {
        uint32 m = manufacturer(seed);
        address actor = somebody(seed, m);
        IDeviceRegistry.Target[] memory targets = heldTargets(seed, m);
        uint40[] memory since = new uint40[](targets.length);
        bool expected = may(m, actor, 2);
        for (uint256 i = 0; i < targets.length; ++i) {
            ModelRecord storage r = recordOf[m][targets[i].subject];
            since[i] = pick(seed, 50 + i, 4) == 0 ? r.changedAt + 1 : r.changedAt;
            if (r.mark != HELD || since[i] != r.changedAt) expected = false;
            if (i > 0 && targets[0].subject == targets[i].subject) expected = false;
        }
        bytes memory call_ = abi.encodeCall(devices.unhold, (m, targets, since));
        if (!attempt(actor, address(devices), call_, expected, targets.length)) return;
        for (uint256 i = 0; i < targets.length; ++i) setMark(m, targets[i].subject, 0);
    }

    function revokeWords(uint256 seed) external {
        uint32 m = manufacturer(seed);
        uint32 series = seriesOf[pick(seed, 1, 3)];
        address actor = somebody(seed, m);
        (uint32[] memory indices, uint256[] memory masks) = someWords(seed);
        ModelBatch storage b = batchOf[m][series];
        bool expected = may(m, actor, 2) && b.size != 0;
        uint256 entries = 0;
        uint256[3] memory bits = b.bits;
        for (uint256 i = 0; i < masks.length; ++i) {
            uint256 word = indices[i];
            if (masks[i] == 0 || word > 2) expected = false;
            for (uint256 j = 0; j < 256; ++j) {
                if ((masks[i] >> j) & 1 == 1 && word * 256 + j >= b.size) expected = false;
            }
            if (word > 2) continue;
            if (masks[i] & ~bits[word] != 0) ++entries;
            bits[word] |= masks[i];
        }
        bytes memory call_ = abi.encodeCall(devices.revokeWords, (m, series, indices, masks, 1));
        if (attempt(actor, address(devices), call_, expected, entries)) b.bits = bits;
    }

    function revokeBatch(uint256 seed) external {
        uint32 m = manufacturer(seed);
        uint32 series = seriesOf[pick(seed, 1, 3)];
        address actor = somebody(seed, m);
        uint8 reason = uint8(pick(seed, 40, 8));
        ModelBatch storage b = batchOf[m][series];
        // Rare, or every batch would soon be revoked.
        if (pick(seed, 43, 6) != 0) actor = OUTSIDER;
        bool expected = may(m, actor, 2) && b.size != 0 && b.mark != REVOKED && reason < 6;
        bytes memory call_ = abi.encodeCall(devices.revokeBatch, (m, series, reason));
        if (attempt(actor, address(devices), call_, expected, 1)) markBatch(b, REVOKED, reason);
    }

    function holdBatch(uint256 seed) external {
        uint32 m = manufacturer(seed);
        uint32 series = seriesOf[pick(seed, 1, 3)];
        address actor = somebody(seed, m);
        ModelBatch storage b = batchOf[m][series];
        bool expected = may(m, actor, 2) && b.size != 0 && b.mark == 0;
        bytes memory call_ = abi.encodeCall(devices.holdBatch, (m, series));
        if (attempt(actor, address(devices), call_, expected, 1)) markBatch(b, HELD, 6);
    }

    function unholdBatch(uint256 seed) external {
        uint32 m = manufacturer(seed);
        uint32 series = seriesOf[pick(seed, 1, 3)];
        address actor = somebody(seed, m);
        ModelBatch storage b = batchOf[m][series];
        uint40 since = pick(seed, 50, 4) == 0 ? b.changedAt + 1 : b.changedAt;
        bool expected = may(m, actor, 2) && b.size != 0 && b.mark == HELD && since == b.changedAt;
        bytes memory call_ = abi.encodeCall(devices.unholdBatch, (m, series, since));
        if (attempt(actor, address(devices), call_, expected, 1)) markBatch(b, 0, 0);
    }

    function revokeSelf(uint256 seed) external {
        uint32 m = manufacturer(seed);
        uint256 device = pick(seed, 60, 2);
        uint32 series = placeOf(seed, m, device);
        bool honest = pick(seed, 62, 4) != 0;
        bytes32 hash = sha256(payloadOf(deviceKeys[device]));
        ModelBatch storage b = batchOf[m][series];
        bool issued = series == 0 ? recordOf[m][hash].registeredAt != 0 : b.flags & 2 != 0 && b.tree == device + 1;
        uint256 fresh = recordOf[m][hash].mark == REVOKED ? 0 : 1;
        bytes memory call_ = selfCall(m, device, series, honest);
        if (attempt(somebody(seed, m), address(devices), call_, honest && issued, fresh)) markRevoked(m, hash, 1, 0);
    }

    // ---------------------------------------------------------------------------------------------------------- governance

    function suspend(uint256 seed) external {
        uint32 m = manufacturer(seed);
        address actor = governor(seed);
        bool expected = (actor == GUARDIAN || actor == CONSORTIUM) && isActive(m) && pick(seed, 70, 3) == 0;
        if (pick(seed, 70, 3) != 0) actor = OUTSIDER;
        if (!attempt(actor, address(manufacturers), abi.encodeCall(manufacturers.suspend, (m)), expected, 1)) return;
        man[m].status = SUSPENDED;
        man[m].statusSince = time();
        man[m].suspendedUntil = time() + 14 days;
    }

    function confirmSuspension(uint256 seed) external {
        uint32 m = manufacturer(seed);
        address actor = governor(seed);
        (uint8 status, ) = statusNow(m);
        bool expected = actor == CONSORTIUM && status == SUSPENDED;
        bytes memory call_ = abi.encodeCall(manufacturers.confirmSuspension, (m));
        if (attempt(actor, address(manufacturers), call_, expected, 1)) man[m].suspendedUntil = 0;
    }

    function resume(uint256 seed) external {
        uint32 m = manufacturer(seed);
        address actor = governor(seed);
        (uint8 status, ) = statusNow(m);
        bool expected = actor == CONSORTIUM && status == SUSPENDED;
        if (!attempt(actor, address(manufacturers), abi.encodeCall(manufacturers.resume, (m)), expected, 1)) return;
        man[m].status = ACTIVE;
        man[m].statusSince = time();
        man[m].suspendedUntil = 0;
    }

    function declareCompromise(uint256 seed) external {
        uint32 m = manufacturer(seed);
        for (uint32 i = 1; i <= 3; ++i) if (!isActive(i) && pick(seed, 64, 2) == 0) m = i;
        uint32 keyIndex = someKey(seed, m);
        bool governed = pick(seed, 71, 2) == 0 || !isActive(m);
        // Rare, or every key would soon be compromised.
        address actor =
            pick(seed, 72, 2) == 0
                ? OUTSIDER
                : governed
                    ? governor(seed)
                    : man[m].controller;
        ModelKey storage k = keyOf[m][keyIndex];
        uint40 since = edgeOfCompromise(seed, k);
        (uint8 status, ) = statusNow(m);
        bool expected =
            governed ? (actor == GUARDIAN || actor == CONSORTIUM) && status != ACTIVE : actor == man[m].controller;
        expected =
            expected &&
            k.registeredAt != 0 &&
            since >= k.registeredAt &&
            (k.compromisedSince == 0 ? since <= time() : since < k.compromisedSince);
        bytes memory call_ =
            governed
                ? abi.encodeCall(manufacturers.declareCompromiseFor, (m, keyIndex, since))
                : abi.encodeCall(manufacturers.declareCompromise, (m, keyIndex, since));
        if (attempt(actor, address(manufacturers), call_, expected, 1)) k.compromisedSince = since;
    }

    function proposeController(uint256 seed) external {
        uint32 m = manufacturer(seed);
        address actor = governor(seed);
        address next = controllerOf(m + 3 * uint32(pick(seed, 73, 2)));
        bytes memory call_ = abi.encodeCall(manufacturers.proposeController, (m, next));
        if (!attempt(actor, address(manufacturers), call_, actor == CONSORTIUM, 1)) return;
        man[m].proposed = next;
        man[m].replacementAt = time() + 30 days;
    }

    function replaceController(uint256 seed) external {
        uint32 m = manufacturer(seed);
        address actor = governor(seed);
        ModelManufacturer storage x = man[m];
        bool expected = actor == CONSORTIUM && x.proposed != address(0) && time() >= x.replacementAt;
        bytes memory call_ = abi.encodeCall(manufacturers.replaceController, (m));
        if (!attempt(actor, address(manufacturers), call_, expected, 1)) return;
        x.controller = x.proposed;
        x.proposed = address(0);
        x.pending = address(0);
        x.replacementAt = 0;
        ++x.epoch;
    }

    // ---------------------------------------------------------------------------------------------------------- controller

    function vetoReplacement(uint256 seed) external {
        uint32 m = manufacturer(seed);
        address actor = somebody(seed, m);
        (uint8 status, ) = statusNow(m);
        ModelManufacturer storage x = man[m];
        bool expected = actor == x.controller && status != SUSPENDED && x.proposed != address(0);
        bytes memory call_ = abi.encodeCall(manufacturers.vetoReplacement, (m));
        if (!attempt(actor, address(manufacturers), call_, expected, 1)) return;
        x.proposed = address(0);
        x.replacementAt = 0;
    }

    function transferController(uint256 seed) external {
        uint32 m = manufacturer(seed);
        address actor = somebody(seed, m);
        address next = pick(seed, 74, 3) == 0 ? address(0) : controllerOf(m + 3 * uint32(pick(seed, 73, 2)));
        bytes memory call_ = abi.encodeCall(manufacturers.transferController, (m, next));
        if (attempt(actor, address(manufacturers), call_, actor == man[m].controller, 1)) man[m].pending = next;
    }

    function acceptController(uint256 seed) external {
        uint32 m = manufacturer(seed);
        address actor = pick(seed, 75, 2) == 0 && man[m].pending != address(0) ? man[m].pending : somebody(seed, m);
        bytes memory call_ = abi.encodeCall(manufacturers.acceptController, (m));
        if (!attempt(actor, address(manufacturers), call_, actor == man[m].pending, 1)) return;
        man[m].controller = actor;
        man[m].pending = address(0);
    }

    function resign(uint256 seed) external {
        uint32 m = manufacturer(seed);
        address actor = pick(seed, 76, 16) == 0 ? man[m].controller : OUTSIDER;
        bool expected = actor == man[m].controller && isActive(m);
        if (!attempt(actor, address(manufacturers), abi.encodeCall(manufacturers.resign, (m)), expected, 1)) return;
        man[m].status = LEFT;
        man[m].statusSince = time();
        man[m].suspendedUntil = 0;
    }

    function setMetadataURI(uint256 seed) external {
        uint32 m = manufacturer(seed);
        address actor = somebody(seed, m);
        string memory uri = string(new bytes(pick(seed, 77, 300)));
        bool expected = actor == man[m].controller && bytes(uri).length <= 256;
        attempt(actor, address(manufacturers), abi.encodeCall(manufacturers.setMetadataURI, (m, uri)), expected, 1);
    }

    function setOperator(uint256 seed) external {
        uint32 m = manufacturer(seed);
        address actor = somebody(seed, m);
        address account = somebody(seed >> 8, m);
        uint8 rights = uint8(pick(seed, 78, 9));
        uint40 until = time() + uint40(pick(seed, 79, 3)) * uint40(pick(seed, 80, 2 days));
        bool expected = actor == man[m].controller && rights <= 7 && (rights == 0 || until > time());
        bytes memory call_ = abi.encodeCall(manufacturers.setOperator, (m, account, rights, until));
        if (!attempt(actor, address(manufacturers), call_, expected, 1)) return;
        grantOf[m][account] = ModelGrant(rights, man[m].epoch, until);
    }

    function addKey(uint256 seed) external {
        uint32 m = manufacturer(seed);
        address actor = somebody(seed, m);
        // Few keys for all, so that they are claimed by several.
        uint256 privateKey = 7 + pick(seed, 81, 6);
        uint8 purpose = uint8(pick(seed, 82, 4));
        uint40 notBefore = uint40(pick(seed, 83, 2)) * (time() + uint40(pick(seed, 84, 3)));
        uint40 notAfter = time() + uint40(pick(seed, 85, 20 days));
        bool honest = pick(seed, 86, 4) != 0;
        uint40 start = notBefore < time() ? time() : notBefore;
        bool expected =
            actor == man[m].controller &&
                isActive(m) &&
                purpose != 0 &&
                notAfter > start &&
                ownerOf[keyIdOf(privateKey)] == 0 &&
                honest;
        bytes memory call_ = keyCall(m, privateKey, purpose, notBefore, notAfter, honest);
        if (attempt(actor, address(manufacturers), call_, expected, 1)) {
            recordKey(m, privateKey, purpose, start, notAfter);
        }
    }

    function revokeKey(uint256 seed) external {
        uint32 m = manufacturer(seed);
        address actor = pick(seed, 87, 3) == 0 ? somebody(seed, m) : OUTSIDER;
        uint32 keyIndex = someKey(seed, m);
        ModelKey storage k = keyOf[m][keyIndex];
        bool expected = actor == man[m].controller && k.registeredAt != 0 && k.revokedAt == 0;
        bytes memory call_ = abi.encodeCall(manufacturers.revokeKey, (m, keyIndex));
        if (attempt(actor, address(manufacturers), call_, expected, 1)) k.revokedAt = time();
    }

    /// Time stands still most of the time, so that things happen in one second; else it jumps to the edge of a window.
    function advance(uint256 seed) external {
        uint32 m = manufacturer(seed);
        ModelKey storage k = keyOf[m][someKey(seed, m)];
        uint40[6] memory edges = [
            man[m].suspendedUntil,
            man[m].replacementAt,
            k.notAfter,
            k.notBefore,
            batchOf[m][seriesOf[pick(seed, 1, 3)]].notAfter,
            time() + uint40(pick(seed, 88, 2 days))
        ];
        uint40 edge = edges[pick(seed, 89, 6)];
        uint40 next = edge + uint40(pick(seed, 90, 3));
        if (next > 0) --next;
        vm.warp(next > time() && next < time() + 60 days ? next : time() + 1);
    }

    // ------------------------------------------------------------------------------------------------------------- compare

    /// @notice Compares all that the registries say of one manufacturer with the model, and their log heads.
    function compare(uint32 m) external view {
        compareManufacturer(m);
        for (uint256 i = 0; i < 3; ++i) compareBatch(m, seriesOf[i]);
        for (uint256 i = 0; i < subjects.length; ++i) compareSubject(m, subjects[i]);
        checkHeads(address(manufacturers), 3);
        checkHeads(address(devices), 3);
        // I18: nothing here ever holds ether.
        equal(address(manufacturers).balance + address(devices).balance + address(access).balance, 0, "ether");
    }

    uint256 public constant PLANTED = 15;

    /// @notice Alters one stored field at a time, as a defect would, and puts it back.
    /// @return caught How many of them the comparison noticed.
    function plantAndCompare() external returns (uint256 caught) {
        // Slots from client/abi/storageLayout.ts: batches 12, records 13; heads 0 and 1; manufacturers 6, keys 9.
        bytes32 batchSlot = nested(2, nested(1, bytes32(uint256(12))));
        bytes32 meta = bytes32(uint256(batchSlot) + 1);
        bytes32 word = keccak256(abi.encode(uint256(0), uint256(batchSlot) + 2));
        bytes32 recordSlot = keccak256(abi.encode(subjects[0], nested(1, bytes32(uint256(13)))));
        bytes32 keySlot = nested(1, nested(1, bytes32(uint256(9))));
        address d = address(devices);
        address m = address(manufacturers);
        // A root, a size, a time, a mark, flags, a count; a bit set or cleared.
        caught += plant(d, batchSlot, 1) + plant(d, meta, 1) + plant(d, meta, 1 << 64) + plant(d, meta, 1 << 144);
        caught += plant(d, meta, 1 << 152) + plant(d, meta, 1 << 160) + plant(d, word, 1);
        // A record's registration and its mark.
        caught += plant(d, recordSlot, 1) + plant(d, recordSlot, 1 << 192);
        // A head, a length, the global head.
        bytes32 logSlot = nested(1, bytes32(uint256(1)));
        caught += plant(d, logSlot, 1) + plant(d, bytes32(uint256(logSlot) + 1), 1) + plant(d, 0, 1);
        // A manufacturer's controller, a key's compromise and its end.
        caught += plant(m, nested(1, bytes32(uint256(6))), 1);
        caught += plant(m, keySlot, 1 << 176) + plant(m, keySlot, 1 << 96);
    }

    function plant(address registry, bytes32 slot, uint256 bits) private returns (uint256) {
        bytes32 before = vm.load(registry, slot);
        vm.store(registry, slot, before ^ bytes32(bits));
        bool noticed = false;
        try this.compare(1) {} catch {
            noticed = true;
        }
        vm.store(registry, slot, before);
        this.compare(1);
        return noticed ? 1 : 0;
    }

    function nested(uint32 mapKey, bytes32 slot) private pure returns (bytes32) {
        return keccak256(abi.encode(uint256(mapKey), slot));
    }

    function compareManufacturer(uint32 m) private view {
        IManufacturerRegistry.Manufacturer memory found = manufacturers.manufacturer(m);
        ModelManufacturer storage x = man[m];
        (uint8 status, uint40 since) = statusNow(m);
        equal(found.controller, x.controller, "controller");
        equal(uint8(found.status), status, "manufacturer's status");
        equal(found.statusSince, since, "status since");
        equal(found.suspendedUntil, status == SUSPENDED ? x.suspendedUntil : 0, "suspended until");
        equal(found.pendingController, x.pending, "pending");
        equal(found.proposedController, x.proposed, "proposed");
        equal(found.replacementAt, x.replacementAt, "replacement at");
        equal(found.keyCount, x.keyCount, "key count");
        for (uint32 i = 1; i <= x.keyCount; ++i) {
            IManufacturerRegistry.Key memory key = manufacturers.key(m, i);
            ModelKey storage k = keyOf[m][i];
            equal(key.keyId, keyIdOf(k.privateKey), "key id");
            equal(uint8(key.purpose), k.purpose, "purpose");
            equal(key.registeredAt, k.registeredAt, "key registered");
            equal(key.notBefore, k.notBefore, "not before");
            equal(key.notAfter, k.notAfter, "not after");
            equal(key.revokedAt, k.revokedAt, "retired");
            equal(key.compromisedSince, k.compromisedSince, "compromised");
            // I8, I10.
            isTrue(
                k.compromisedSince == 0 || (k.compromisedSince >= k.registeredAt && k.compromisedSince <= time()),
                "I8"
            );
            (uint32 owner, uint32 index) = manufacturers.provenKey(key.keyId);
            isTrue(owner == m && index == i, "I10");
        }
    }

    function compareBatch(uint32 m, uint32 series) private view {
        IDeviceRegistry.Batch memory found = devices.batch(m, series);
        ModelBatch storage b = batchOf[m][series];
        equal(found.root, b.root, "root");
        equal(found.size, b.size, "size");
        equal(found.keyIndex, b.keyIndex, "batch's key");
        equal(found.registeredAt, b.registeredAt, "batch registered");
        equal(found.notAfter, b.notAfter, "batch's end");
        equal(uint8(found.mark), b.mark, "batch's mark");
        equal(found.flags, b.flags, "flags");
        equal(found.changedAt, b.changedAt, "batch changed");
        equal(found.reason, b.reason, "batch's reason");
        uint256[] memory words = devices.words(m, series, 0, 4);
        uint32 count = 0;
        for (uint256 w = 0; w < 3; ++w) {
            equal(words[w], b.bits[w], "word");
            count += countBits(words[w]);
            // I13: nothing at or above the size.
            for (uint256 i = 0; i < 256; ++i) {
                if (w * 256 + i >= b.size) isTrue((words[w] >> i) & 1 == 0, "I13");
            }
        }
        equal(words[3], 0, "past every size");
        equal(found.revokedCount, count, "I13: revoked count");
        for (uint256 tree = 0; tree < TREES; ++tree) {
            for (uint256 i = 0; i < hot[tree].length; ++i) compareVerdict(m, series, tree, hot[tree][i]);
        }
    }

    function compareVerdict(uint32 m, uint32 series, uint256 tree, uint32 index) private view {
        bytes32 keyId = subjects[credentials + (index % 2)];
        ModelVerdict memory expected = verdictOf(m, series, tree, index, keyId);
        IDeviceRegistry.Verdict memory found = devices.statusOf(
            m,
            series,
            index,
            credentialAt[tree][index],
            keyId,
            proofAt[tree][index]
        );
        equalVerdicts(found, expected);
    }

    function compareSubject(uint32 m, bytes32 subject) private view {
        IDeviceRegistry.Record memory found = devices.record(m, subject);
        ModelRecord storage r = recordOf[m][subject];
        equal(found.registeredAt, r.registeredAt, "record registered");
        equal(found.changedAt, r.changedAt, "record changed");
        equal(found.notAfter, r.notAfter, "record's end");
        equal(found.invalidityDate, r.invalidityDate, "invalidity date");
        equal(found.keyIndex, r.keyIndex, "record's key");
        equal(uint8(found.mark), r.mark, "record's mark");
        equal(found.reason, r.reason, "record's reason");
        bytes32 keyId = subjects[subjects.length - 1];
        equalVerdicts(devices.statusOfRecord(m, subject, keyId), verdictOfRecord(m, subject, keyId));
    }

    function equalVerdicts(IDeviceRegistry.Verdict memory found, ModelVerdict memory expected) private pure {
        equal(uint8(found.status), expected.status, "verdict");
        equal(found.reason, expected.reason, "verdict's reason");
        equal(found.since, expected.since, "verdict since");
    }

    // ------------------------------------------------------------------------------------------------------------- choices

    function pick(uint256 seed, uint256 salt, uint256 count) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, salt))) % count;
    }

    function manufacturer(uint256 seed) private pure returns (uint32) {
        return uint32(1 + pick(seed, 0, 3));
    }

    function controllerOf(uint32 m) private pure returns (address) {
        return address(uint160(0xA0 + m));
    }

    /// The controller or an operator of the manufacturer, or, a quarter of the time, somebody who has no business here.
    function somebody(uint256 seed, uint32 m) private view returns (address) {
        uint256 who = pick(seed, 10, 16);
        if (who < 7) return man[m].controller;
        if (who < 10) return address(uint160(0xB0 + m));
        if (who == 10) return address(uint160(0xC0 + m));
        if (who == 11) return address(uint160(0xD0 + m));
        address[4] memory strangers = [OUTSIDER, CONSORTIUM, GUARDIAN, address(uint160(0xB0 + (m % 3) + 1))];
        return strangers[who - 12];
    }

    function governor(uint256 seed) private view returns (address) {
        uint256 who = pick(seed, 11, 8);
        if (who < 4) return CONSORTIUM;
        if (who < 6) return GUARDIAN;
        return somebody(seed, manufacturer(seed));
    }

    function treeOf(uint256 seed) private pure returns (uint256) {
        return pick(seed, 2, TREES);
    }

    function someKey(uint256 seed, uint32 m) private view returns (uint32) {
        return uint32(1 + pick(seed, 3, man[m].keyCount + 1));
    }

    function someBatch(uint256 seed) private view returns (IDeviceRegistry.BatchInput memory) {
        uint256 tree = treeOf(seed);
        uint32 m = manufacturer(seed);
        uint40[4] memory ends = [FAR, FAR, time(), time() - 1];
        return
            IDeviceRegistry.BatchInput({
                series: seriesOf[pick(seed, 1, 3)],
                size: sizeOf[tree],
                keyIndex: pick(seed, 4, 3) == 0 ? someKey(seed, m) : 1,
                notAfter: ends[pick(seed, 5, 4)],
                root: rootOf[tree]
            });
    }

    function someCredentials(uint256 seed) private view returns (bytes32[] memory hashes, uint40[] memory ends) {
        hashes = new bytes32[](1 + pick(seed, 6, 2));
        ends = new uint40[](hashes.length);
        uint40[6] memory choices = [FAR, FAR, FAR, 0, time(), time() - 1];
        for (uint256 i = 0; i < hashes.length; ++i) {
            hashes[i] = subjects[pick(seed, 30 + i, credentials)];
            ends[i] = choices[pick(seed, 32 + i, 6)];
        }
    }

    function someTargets(uint256 seed) private view returns (IDeviceRegistry.Target[] memory targets) {
        targets = new IDeviceRegistry.Target[](1 + pick(seed, 6, 2));
        for (uint256 i = 0; i < targets.length; ++i) {
            targets[i].subject =
                pick(seed, 34 + i, 16) == 0 ? bytes32(0) : subjects[pick(seed, 30 + i, subjects.length)];
            targets[i].series = uint32(pick(seed, 36, 2));
            targets[i].index = uint32(seed);
        }
    }

    /// Mostly subjects that are held.
    function heldTargets(uint256 seed, uint32 m) private view returns (IDeviceRegistry.Target[] memory targets) {
        targets = someTargets(seed);
        for (uint256 i = 0; i < subjects.length; ++i) {
            bytes32 subject = subjects[(i + pick(seed, 37, subjects.length)) % subjects.length];
            if (recordOf[m][subject].mark == HELD && targets[0].subject != subject) targets[0].subject = subject;
        }
    }

    function someWords(uint256 seed) private view returns (uint32[] memory indices, uint256[] memory masks) {
        indices = new uint32[](1 + pick(seed, 6, 2));
        masks = new uint256[](indices.length);
        uint256 tree = treeOf(seed);
        for (uint256 i = 0; i < indices.length; ++i) {
            uint32 index = hot[tree][pick(seed, 38 + i, hot[tree].length)];
            indices[i] = index / 256 + (pick(seed, 44 + i, 12) == 0 ? 1 : 0);
            masks[i] = 1 << (index % 256);
            if (pick(seed, 46 + i, 4) == 0) masks[i] |= 1 << pick(seed, 48 + i, 256);
            if (pick(seed, 46 + i, 16) == 1) masks[i] = 0;
        }
    }

    /// A batch that the device is in, where there is one, three times of four.
    function placeOf(uint256 seed, uint32 m, uint256 device) private view returns (uint32) {
        if (pick(seed, 61, 4) == 0) return pick(seed, 63, 2) == 0 ? 0 : seriesOf[pick(seed, 1, 3)];
        for (uint256 i = 0; i < 3; ++i) {
            ModelBatch storage b = batchOf[m][seriesOf[i]];
            if (b.flags & 2 != 0 && b.tree == device + 1) return seriesOf[i];
        }
        return seriesOf[pick(seed, 1, 3)];
    }

    function edgeOfCompromise(uint256 seed, ModelKey storage k) private view returns (uint40) {
        if (k.registeredAt == 0) return time();
        uint40 earlier = k.compromisedSince == 0 ? time() : k.compromisedSince - 1;
        uint40[6] memory edges = [k.registeredAt, k.registeredAt - 1, earlier, earlier, time() + 1, k.compromisedSince];
        return edges[pick(seed, 91, 6)];
    }

    // --------------------------------------------------------------------------------------------------------------- calls

    function batchForCall(
        uint32 m,
        IDeviceRegistry.BatchInput memory input,
        uint8 kind,
        bool honest
    ) private view returns (bytes memory) {
        uint256 privateKey = keyOf[m][input.keyIndex].privateKey;
        if (privateKey == 0) privateKey = 1;
        bytes32 digest = batchDigest(block.chainid, address(devices), m, input, keyIdOf(privateKey), kind);
        (bytes32 r, bytes32 s) = sign(privateKey, honest ? digest : ~digest);
        return abi.encodeCall(devices.registerBatchFor, (m, input, CredentialKind(kind), r, s));
    }

    function issuedCall(uint32 m, uint32 keyIndex, bytes32 hash, bool honest) private view returns (bytes memory) {
        uint256 privateKey = keyOf[m][keyIndex].privateKey;
        (bytes32 r, bytes32 s) = sign(privateKey == 0 ? 1 : privateKey, honest ? hash : ~hash);
        return abi.encodeCall(devices.registerIssued, (m, keyIndex, hash, r, s));
    }

    function keyCall(
        uint32 m,
        uint256 privateKey,
        uint8 purpose,
        uint40 notBefore,
        uint40 notAfter,
        bool honest
    ) private view returns (bytes memory) {
        bytes memory proof = possession(honest ? m : m + 1, privateKey, KeyPurpose(purpose));
        return
            abi.encodeCall(
                manufacturers.addKey,
                (m, KeyPurpose(purpose), notBefore, notAfter, spkiOf(privateKey), proof)
            );
    }

    function selfCall(uint32 m, uint256 device, uint32 series, bool honest) private view returns (bytes memory) {
        bytes memory payload = payloadOf(deviceKeys[device]);
        bytes32 digest = selfRevocationDigest(block.chainid, address(devices), m, sha256(payload), honest ? 1 : 0);
        (bytes32 r, bytes32 s) = sign(deviceKeys[device], digest);
        uint32 index = device == 0 ? 256 : 1;
        bytes32[] memory proof = proofAt[device + 1][index];
        return abi.encodeCall(devices.revokeSelf, (m, payload, series, index, proof, 1, r, s));
    }

    /// @return Whether the call was accepted, which is what the model expects, or this reverts.
    function attempt(
        address actor,
        address target_,
        bytes memory data,
        bool expected,
        uint256 entries
    ) private returns (bool) {
        ++calls;
        (bool ok, bytes memory answer) = callAs(actor, target_, data);
        if (ok != expected) revert Disagreement(bytes4(data), ok, answer);
        ok ? ++accepted[bytes4(data)] : ++refused[bytes4(data)];
        if (!ok) {
            // What a call logged before it was undone is recorded too, and was undone with it.
            vm.getRecordedLogs();
            return false;
        }
        equal(replay(), entries, "entries of the logs");
        return true;
    }

    // --------------------------------------------------------------------------------------------------------------- model

    function addModelKey(uint32 m, uint256 privateKey, uint8 purpose, uint40 notBefore, uint40 notAfter) private {
        bytes memory call_ = keyCall(m, privateKey, purpose, notBefore, notAfter, true);
        accept(man[m].controller, address(manufacturers), call_);
        recordKey(m, privateKey, purpose, time(), notAfter);
    }

    function recordKey(uint32 m, uint256 privateKey, uint8 purpose, uint40 notBefore, uint40 notAfter) private {
        uint32 index = ++man[m].keyCount;
        keyOf[m][index] = ModelKey(purpose, time(), notBefore, notAfter, 0, 0, privateKey);
        ownerOf[keyIdOf(privateKey)] = m;
    }

    function setModelOperator(uint32 m, address account, uint8 rights, uint40 until) private {
        accept(
            man[m].controller,
            address(manufacturers),
            abi.encodeCall(manufacturers.setOperator, (m, account, rights, until))
        );
        grantOf[m][account] = ModelGrant(rights, man[m].epoch, until);
    }

    function recordBatch(uint32 m, IDeviceRegistry.BatchInput memory input, uint256 tree, uint8 flags) private {
        ModelBatch storage b = batchOf[m][input.series];
        b.tree = tree;
        b.root = input.root;
        b.size = input.size;
        b.keyIndex = input.keyIndex;
        b.registeredAt = time();
        b.notAfter = input.notAfter;
        b.flags = flags;
    }

    function recordCredential(uint32 m, bytes32 hash, uint32 keyIndex, uint40 notAfter) private {
        ModelRecord storage r = recordOf[m][hash];
        if (r.registeredAt != 0) return;
        r.registeredAt = time();
        r.keyIndex = keyIndex;
        r.notAfter = notAfter;
    }

    function markRevoked(uint32 m, bytes32 subject, uint8 reason, uint40 invalidity) private {
        ModelRecord storage r = recordOf[m][subject];
        if (r.mark == REVOKED) return;
        r.mark = REVOKED;
        r.changedAt = time();
        r.reason = reason;
        r.invalidityDate = invalidity;
    }

    function setMark(uint32 m, bytes32 subject, uint8 mark) private {
        ModelRecord storage r = recordOf[m][subject];
        if (r.mark == REVOKED) return;
        r.mark = mark;
        r.changedAt = time();
        r.reason = mark == HELD ? 6 : 0;
    }

    function markBatch(ModelBatch storage b, uint8 mark, uint8 reason) private {
        b.mark = mark;
        b.changedAt = time();
        b.reason = reason;
    }
}
