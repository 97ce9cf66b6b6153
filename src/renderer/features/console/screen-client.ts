import RFB from '@novnc/novnc'
import type { KeyEvent } from './key-typing'
import type { ScreenSize } from './screen-scale'

/**
 * noVNC's client with what it knows but does not tell: the size of the guest's screen, frames, and what the server can do.
 * All that reaches into noVNC is in this file; its version is pinned exactly and the spec checks that the members are there.
 */
export class ScreenClient extends RFB {
  /** Frames completed so far. */
  frames = 0
  onSize: ((size: ScreenSize) => void) | null = null
  onCapabilities: (() => void) | null = null
  /** The size that the guest is asked to take; without it the size of noVNC's own element. */
  wantedGuestSize: (() => ScreenSize) | null = null
  private asking = false

  get size(): ScreenSize {
    return { width: this._fbWidth, height: this._fbHeight }
  }

  get canvas(): HTMLCanvasElement {
    return this._canvas
  }

  /** Whether the server lets the client choose the size. The guest may still not follow. */
  get canResizeGuest(): boolean {
    return this._supportsSetDesktopSize
  }

  /** Whether the server passes text clipboards in both directions. */
  get canShareClipboard(): boolean {
    return Object.values(this._clipboardServerCapabilitiesFormats).some(Boolean)
  }

  /** Releases every key that the guest believes held. To be called whenever the keyboard goes elsewhere. */
  releaseKeys(): void {
    this._keyboard._allKeysUp()
  }

  sendKeys(events: readonly KeyEvent[]): void {
    for (const event of events) this.sendKey(event.keysym, event.code, event.down)
  }

  protected override _resize(width: number, height: number): void {
    super._resize(width, height)
    this.onSize?.({ width, height })
  }

  protected override _framebufferUpdate(): boolean {
    const complete = super._framebufferUpdate()
    if (complete) this.frames += 1
    return complete
  }

  protected override _handleExtendedDesktopSize(): boolean {
    const complete = super._handleExtendedDesktopSize()
    if (complete) this.onCapabilities?.()
    return complete
  }

  protected override _handleServerCutText(): boolean {
    const complete = super._handleServerCutText()
    if (complete) this.onCapabilities?.()
    return complete
  }

  /** Asks the guest to take the size of the view, when that is switched on and the server can. */
  askForViewSize(): void {
    this._requestRemoteResize()
  }

  protected override _requestRemoteResize(): void {
    this.asking = true
    try {
      super._requestRemoteResize()
    } finally {
      this.asking = false
    }
  }

  protected override _screenSize(): { w: number; h: number } {
    const wanted = this.asking ? this.wantedGuestSize?.() : undefined
    return wanted ? { w: wanted.width, h: wanted.height } : super._screenSize()
  }
}
