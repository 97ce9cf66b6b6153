import { expect, test } from 'vitest'
import type { ElectronApi } from './electron-api'
import { electronKeychain } from './keychain'

function storage(backend: string, available = true): ElectronApi['safeStorage'] {
  return {
    isAsyncEncryptionAvailable: () => Promise.resolve(available),
    getSelectedStorageBackend: () => backend,
    encryptStringAsync: (text: string) => Promise.resolve(Buffer.from(text).reverse()),
    decryptStringAsync: (sealed: Buffer) => Promise.resolve({ result: Buffer.from(sealed).reverse().toString(), shouldReEncrypt: false }),
  } as unknown as ElectronApi['safeStorage']
}

test('what it seals it opens', async () => {
  const keychain = electronKeychain(storage('kwallet6'), 'linux')
  expect(await keychain.obstacle()).toBeNull()
  expect(await keychain.open(await keychain.seal('geheim'))).toBe('geheim')
})

test('a file that anybody could open is no keychain, and the reason is said', async () => {
  expect(await electronKeychain(storage('basic_text'), 'linux').obstacle()).toContain('GNOME Keyring or KWallet')
  expect(await electronKeychain(storage('unknown'), 'linux').obstacle()).not.toBeNull()
  expect(await electronKeychain(storage('unknown'), 'darwin').obstacle()).toBeNull()
  expect(await electronKeychain(storage('kwallet6', false), 'linux').obstacle()).not.toBeNull()
})
