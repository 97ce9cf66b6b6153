/** The Keyboard Lock API (WICG): only Chromium has it, and only in full screen. */
interface Keyboard {
  lock(keyCodes?: string[]): Promise<void>
  unlock(): void
}
interface Navigator {
  readonly keyboard?: Keyboard
}
