export { DiskKeys, type DiskKeysOptions } from './disk-keys'
export { type Keychain, noKeychain } from './keychain'
export { RememberedKeys } from './remembered-keys'
