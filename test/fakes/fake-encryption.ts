import type { Encryption } from '@core/app/services'
import { RingsideError } from '@shared/errors'
import type { MachineView } from '@shared/model'

/** The passphrase of every fake machine with encrypted disks, until it is given another. */
export const fakePassphrase = 'correct horse'

/** Locks of fake machines: each opens with one passphrase, and what they keep is worth nothing. `keychain`: why there is none. */
export function createFakeEncryption(get: (id: string) => MachineView, { keychain = null }: { keychain?: string | null } = {}): Encryption {
  const support = { keychain: { available: keychain === null, reason: keychain }, obstacle: null }
  const passphrases = new Map<string, string>()
  const unlocked = new Set<string>()
  const remembered = new Set<string>()
  const diskIds = (id: string): string[] => get(id).definition.disks.filter(({ encrypted }) => encrypted).map((disk) => disk.id)
  const passphraseOf = (id: string): string | null => passphrases.get(id) ?? (diskIds(id).length > 0 ? fakePassphrase : null)
  const open = (id: string, passphrase: string | null): void => {
    if (passphrase !== passphraseOf(id)) throw new RingsideError('KEY_WRONG', `This is not the passphrase of “${get(id).definition.name}”.`, { machineId: id, hint: 'Check Caps Lock and the keyboard layout, then try again.' })
  }
  const required = (id: string): string => {
    if (unlocked.has(id) || remembered.has(id)) return 'key'
    throw new RingsideError('KEY_REQUIRED', `“${get(id).definition.name}” has encrypted disks. Its passphrase is needed.`, { machineId: id })
  }
  /* eslint-disable @typescript-eslint/require-await */
  return {
    support: async () => support,
    state: async (id) => ({
      diskIds: diskIds(id), hasKey: passphraseOf(id) !== null, unlocked: unlocked.has(id) || remembered.has(id), remembered: remembered.has(id), ...support,
    }),
    requireFor: async (id) => (diskIds(id).length === 0 ? null : required(id)),
    require: async (id) => required(id),
    unlock: async (id, passphrase, remember) => {
      open(id, passphrase)
      unlocked.add(id)
      if (remember) remembered.add(id)
    },
    lock: (id) => void unlocked.delete(id),
    setPassphrase: async (id, current, passphrase, remember) => {
      if (passphraseOf(id) !== null) open(id, current)
      passphrases.set(id, passphrase)
      unlocked.add(id)
      if (remember) remembered.add(id)
    },
    remember: async (id) => {
      required(id)
      remembered.add(id)
    },
    forget: async (id) => void remembered.delete(id),
    reveal: async (id, passphrase) => {
      open(id, passphrase)
      return 'ZmFrZSBkaXNrIGtleSBvZiBhIGZha2UgbWFjaGluZQ'
    },
  }
  /* eslint-enable @typescript-eslint/require-await */
}
