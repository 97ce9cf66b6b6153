/** The part of noVNC that is used here; the package brings no types (its docs/API.md, and core/rfb.js for what has an underscore). */
declare module '@novnc/novnc' {
  export interface RfbEvents {
    connect: CustomEvent<Record<string, never>>
    disconnect: CustomEvent<{ clean: boolean }>
    securityfailure: CustomEvent<{ status: number; reason?: string }>
    credentialsrequired: CustomEvent<{ types: string[] }>
    clipboard: CustomEvent<{ text: string }>
    desktopname: CustomEvent<{ name: string }>
    bell: CustomEvent
  }
  export default class RFB {
    constructor(target: HTMLElement, channel: object | string, options?: { shared?: boolean; wsProtocols?: string[] })
    viewOnly: boolean
    focusOnClick: boolean
    clipViewport: boolean
    scaleViewport: boolean
    resizeSession: boolean
    showDotCursor: boolean
    qualityLevel: number
    compressionLevel: number
    background: string
    disconnect(): void
    sendKey(keysym: number, code: string | null, down?: boolean): void
    focus(options?: FocusOptions): void
    blur(): void
    clipboardPasteFrom(text: string): void
    toBlob(callback: (blob: Blob | null) => void, type?: string, quality?: number): void
    addEventListener<K extends keyof RfbEvents>(type: K, listener: (event: RfbEvents[K]) => void): void
    removeEventListener<K extends keyof RfbEvents>(type: K, listener: (event: RfbEvents[K]) => void): void
    protected _canvas: HTMLCanvasElement
    protected _keyboard: { _allKeysUp(): void }
    protected _supportsSetDesktopSize: boolean
    protected _clipboardServerCapabilitiesFormats: Record<number, boolean>
    protected _fbWidth: number
    protected _fbHeight: number
    protected _resize(width: number, height: number): void
    protected _framebufferUpdate(): boolean
    protected _handleExtendedDesktopSize(): boolean
    protected _handleServerCutText(): boolean
    protected _screenSize(): { w: number; h: number }
    protected _requestRemoteResize(): void
  }
}
