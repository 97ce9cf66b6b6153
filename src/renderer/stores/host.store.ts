import type { RingsideError } from '@shared/errors'
import type { HostInfo, OsCatalog, OsEntry, ProbeReport, Settings } from '@shared/model'
import { defineStore } from 'pinia'
import { computed, shallowRef } from 'vue'
import { useClient } from '../transport/client'
import { toRingsideError } from '../transport/errors'

/** The host itself: what it is, what its QEMU can do, the operating-system catalogue and the settings. */
export const useHostStore = defineStore('host', () => {
  const info = shallowRef<HostInfo | null>(null)
  const probe = shallowRef<ProbeReport | null>(null)
  const catalog = shallowRef<OsCatalog | null>(null)
  const settings = shallowRef<Settings | null>(null)
  const probing = shallowRef(false)
  /** Why the last load or probe failed; null after one that went well. */
  const error = shallowRef<RingsideError | null>(null)

  const entriesById = computed(() => new Map((catalog.value?.entries ?? []).map((entry) => [entry.id, entry])))

  function os(id: string): OsEntry | undefined {
    return entriesById.value.get(id)
  }
  /** The system's name, or its identifier while (or where) the catalogue does not know it. */
  function osName(id: string): string {
    return entriesById.value.get(id)?.name ?? id
  }

  /** Asks for everything again: after each connection. Each part arrives as soon as it is there; a slow probe holds nothing up. */
  async function load(): Promise<void> {
    const client = useClient()
    error.value = null
    const parts = [
      client.host.info().then((value) => { info.value = value }),
      client.host.catalog().then((value) => { catalog.value = value }),
      client.host.settings().then((value) => { settings.value = value }),
      loadProbe(false),
    ]
    for (const outcome of await Promise.allSettled(parts)) {
      if (outcome.status === 'rejected') error.value = toRingsideError(outcome.reason)
    }
  }
  async function loadInfo(): Promise<void> {
    info.value = await useClient().host.info()
  }
  async function loadProbe(refresh: boolean): Promise<void> {
    probing.value = true
    try {
      probe.value = await useClient().host.probe({ refresh })
      error.value = null
    } catch (thrown) {
      error.value = toRingsideError(thrown)
      throw error.value
    } finally {
      probing.value = false
    }
  }
  async function changeSettings(change: Partial<Omit<Settings, 'schemaVersion' | 'storageFolders'>>): Promise<void> {
    settings.value = await useClient().host.changeSettings(change)
  }
  return { info, probe, catalog, settings, probing, error, os, osName, load, loadInfo, loadProbe, changeSettings }
})
