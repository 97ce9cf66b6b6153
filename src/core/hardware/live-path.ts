import type { LiveChange } from '../engine/live-change'

/** Where in the hardware a live change shows. */
export function pathOf(change: LiveChange): string {
  switch (change.kind) {
    case 'plugDisk':
      return `disks.${change.disk.id}`
    case 'unplugDisk':
      return `disks.${change.id}`
    case 'limitDisk':
      return `disks.${change.id}.limits`
    case 'plugNic':
      return `nics.${change.nic.id}`
    case 'unplugNic':
      return `nics.${change.id}`
    case 'setLink':
      return `nics.${change.id}.linkUp`
    case 'plugUsb':
      return `usbDevices.${change.device.id}`
    case 'unplugUsb':
      return `usbDevices.${change.id}`
    case 'plugTablet':
    case 'unplugTablet':
      return 'pointer'
    case 'plugFolder':
      return `sharedFolders.${change.folder.id}`
    case 'unplugFolder':
      return `sharedFolders.${change.id}`
    case 'plugVsock':
    case 'unplugVsock':
      return 'vsock'
    case 'plugPci':
      return `pciDevices.${change.device.id}`
    case 'unplugPci':
      return `pciDevices.${change.id}`
    case 'changeMedium':
      return `cdroms.${change.id}.image`
    case 'plugMemory':
      return 'memory.pluggedMiB'
    case 'setMemoryTarget':
      return 'memory.targetMiB'
    case 'plugSystem':
    case 'unplugSystem':
      return change.part
    case 'plugChannels':
      // Nobody asks for it but what is on it.
      return 'channelController'
    case 'plugConsole':
    case 'unplugConsole':
      return 'virtioConsoles'
    case 'setWatchdogAction':
      return 'watchdog'
    case 'plugProcessor':
    case 'unplugProcessor':
      return 'processors.plugged'
    case 'limitProcessorTime':
      return 'processors.limitPercent'
    case 'prioritise':
      return 'processors.priority'
  }
}
