import type { LibraryProblem, MachineView } from '@shared/model'
import { isLive } from '@shared/model'
import { defineStore } from 'pinia'
import { computed, shallowReactive, shallowRef } from 'vue'

const byName = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' })

/** Every machine of the library as the host last told it, and what in the library can't be opened. Fed by the host watch. */
export const useMachinesStore = defineStore('machines', () => {
  const byId = shallowReactive(new Map<string, MachineView>())
  const told = shallowRef<LibraryProblem[]>([])
  /** What is wrong. What only waits for somebody to unlock a machine stands with that machine. */
  const problems = computed(() => told.value.filter((problem) => problem.code !== 'AUTOMATIC_SNAPSHOT_SKIPPED'))
  /** False until the host has told of its machines for the first time. */
  const loaded = shallowRef(false)

  const all = computed(() => [...byId.values()].sort((a, b) => byName.compare(a.definition.name, b.definition.name) || (a.id < b.id ? -1 : 1)))
  const live = computed(() => all.value.filter((machine) => isLive(machine.state)))
  const names = computed(() => all.value.map((machine) => machine.definition.name))

  function get(id: string): MachineView | undefined {
    return byId.get(id)
  }
  /** Takes a machine in, also as the answer of a call, which may come before the event. */
  function put(machine: MachineView): void {
    byId.set(machine.id, machine)
  }
  function remove(id: string): void {
    byId.delete(id)
  }
  function replaceAll(machines: MachineView[], newProblems: LibraryProblem[]): void {
    const ids = new Set(machines.map((machine) => machine.id))
    for (const id of byId.keys()) if (!ids.has(id)) byId.delete(id)
    for (const machine of machines) byId.set(machine.id, machine)
    told.value = newProblems
    loaded.value = true
  }
  function setProblems(newProblems: LibraryProblem[]): void {
    told.value = newProblems
  }
  /** That an automatic snapshot of the machine was skipped since it is locked. */
  function skippedOf(id: string): LibraryProblem | undefined {
    return told.value.find((problem) => problem.code === 'AUTOMATIC_SNAPSHOT_SKIPPED' && problem.machineId === id)
  }
  return { skippedOf, all, live, names, problems, loaded, get, put, remove, replaceAll, setProblems }
})
