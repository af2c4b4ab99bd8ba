import { buildModule } from "@nomicfoundation/hardhat-ignition/modules"

/** All contracts of a deployment, in the order in which they need each other. */
// oxlint-disable-next-line import/no-default-export -- `hardhat ignition deploy` loads the default export
export default buildModule("Fleetroot", (m) => {
  const consortium = m.getParameter<string>("consortium")
  const guardian = m.getParameter<string>("guardian")
  /** Seconds before an admission or a change of roles takes effect. */
  const governanceDelay = m.getParameter("governanceDelay", 172_800)
  /** Seconds before a new firmware key counts. */
  const keyDelay = m.getParameter("keyDelay", 172_800)
  /** Above all ids of earlier deployments of the same line. */
  const firstManufacturerId = m.getParameter("firstManufacturerId", 1)

  const access = m.contract("FleetrootAccess", [consortium, guardian, governanceDelay])
  const manufacturers = m.contract("ManufacturerRegistry", [access, keyDelay, firstManufacturerId])
  const devices = m.contract("DeviceRegistry", [manufacturers, access])
  const firmware = m.contract("FirmwareRegistry", [manufacturers, access])
  return { access, manufacturers, devices, firmware }
})
