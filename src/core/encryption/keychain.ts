/**
 * The operating system's keychain, as far as it seals texts: what comes out of it only this user on this computer can open. Injected by the shell that has one.
 */
export interface Keychain {
  /** Why it keeps nothing, a sentence; null: it does. */
  obstacle(): Promise<string | null>
  seal(text: string): Promise<Uint8Array>
  /** Throws when it was sealed by somebody else, or the keychain is locked. */
  open(sealed: Uint8Array): Promise<string>
}

/** Of a host in plain Node. */
export const noKeychain: Keychain = {
  obstacle: () => Promise.resolve('Only Ringside’s window has the operating system’s keychain at hand; this host asks for the passphrase.'),
  seal: () => Promise.reject(new Error('There is no keychain.')),
  open: () => Promise.reject(new Error('There is no keychain.')),
}
