export { listHostDevices, listPciDevices } from './list-host-devices'
