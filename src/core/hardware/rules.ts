import type { AcceleratorName, MachineDefinition } from '@shared/model'
import type { Probe } from '../app/services'
import { hardwareIssues, hardwareProperties, readHardwareHost, type HardwareSurroundings } from '../engine/qemu/limits'
import { chooseAccelerator } from '../machine/choose-accelerator'
import type { HardwareRules } from './context'

/** The rules of this computer's QEMU. While there is none, nothing is known and nothing is refused: a machine is a folder, and may be meant for elsewhere. */
export function rulesOfQemu(probe: Pick<Probe, 'current'>): HardwareRules {
  const surroundings = async (definition: MachineDefinition): Promise<HardwareSurroundings | null> => {
    const report = await probe.current()
    if (report.qemu === null) return null
    const accelerator = acceleratorFor(definition, () => chooseAccelerator(definition.accelerator, report).accelerator)
    return { qemu: report.qemu, accelerators: report.accelerators, accelerator, host: await readHardwareHost(report.qemu.systemPath) }
  }
  return {
    async properties(definition) {
      const found = await surroundings(definition)
      return found === null ? [] : hardwareProperties(definition, found)
    },
    async issues(definition) {
      const found = await surroundings(definition)
      return found === null ? [] : hardwareIssues(definition, found)
    },
  }
}

/** One that does not work here is an issue of its own; everything else is then judged as for software emulation, which always is there. */
function acceleratorFor({ accelerator }: MachineDefinition, choose: () => AcceleratorName): AcceleratorName {
  try {
    return choose()
  } catch {
    return accelerator === 'auto' ? 'tcg' : accelerator
  }
}
