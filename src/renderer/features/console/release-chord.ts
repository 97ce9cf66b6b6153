const modifiers = new Set(['ControlLeft', 'ControlRight', 'AltLeft'])

/**
 * The keys that give the keyboard back: Ctrl and Alt pressed together and released with no other key between, as other
 * virtual machine programs have it. Ctrl+Alt+Del and its like therefore reach the guest. The right Alt is AltGr on many
 * keyboards, where some systems send a Ctrl with it, so it does not count.
 */
export class ReleaseChord {
  private readonly down = new Set<string>()
  private both = false
  private spoilt = false

  /** @returns true when this event completes the chord: all its keys are up again */
  handle(event: { type: string; code: string }): boolean {
    if (!modifiers.has(event.code)) {
      if (event.type === 'keydown' && this.down.size > 0) this.spoil()
      return false
    }
    if (event.type === 'keydown') {
      this.down.add(event.code)
      if (this.down.has('AltLeft') && this.down.size > 1) this.both = true
      return false
    }
    this.down.delete(event.code)
    if (this.down.size > 0) return false
    const complete = this.both && !this.spoilt
    this.reset()
    return complete
  }

  /** Something else happened while the keys were held, such as a click: they were meant for the guest. */
  spoil(): void {
    this.spoilt = true
  }

  reset(): void {
    this.down.clear()
    this.both = false
    this.spoilt = false
  }
}
