import type { MachineView } from '@shared/model'
import { machineWords } from '../../ui/machine-words'

/** Whether every word of the filter is somewhere in the machine's name, system or state, which tells templates and disposable runs too. An empty filter lets all through. */
export function matchesFilter(machine: MachineView, osName: string, filter: string): boolean {
  const text = `${machine.definition.name} ${osName} ${machineWords(machine)}${machine.definition.origin?.kind === 'linked' ? ' linked clone' : ''}`.toLocaleLowerCase()
  return filter.toLocaleLowerCase().split(/\s+/u).every((word) => text.includes(word))
}
