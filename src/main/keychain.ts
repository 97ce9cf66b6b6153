import type { Keychain } from '@core/encryption'
import type { ElectronApi } from './electron-api'

/** Stores of Linux that are keychains. `basic_text` is a file that anybody could open, and `unknown` may be that [Electron: safeStorage]. */
const linuxKeychains = ['gnome_libsecret', 'kwallet', 'kwallet5', 'kwallet6']

/** The operating system's keychain, through Electron. */
export function electronKeychain(safeStorage: ElectronApi['safeStorage'], platform: NodeJS.Platform): Keychain {
  return {
    async obstacle() {
      if (!(await safeStorage.isAsyncEncryptionAvailable().catch(() => false))) return 'The operating system’s keychain is not to be had.'
      if (platform !== 'linux' || linuxKeychains.includes(safeStorage.getSelectedStorageBackend())) return null
      return 'No keychain was found (GNOME Keyring or KWallet); without one a key would lie in a file that anybody could open.'
    },
    seal: (text) => safeStorage.encryptStringAsync(text),
    open: async (sealed) => (await safeStorage.decryptStringAsync(Buffer.from(sealed))).result,
  }
}
