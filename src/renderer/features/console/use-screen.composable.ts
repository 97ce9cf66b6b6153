import { onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue'
import { openConsole } from '../../transport/console-stream'
import type { KeyEvent } from './key-typing'
import { isCrisp, pictureSize, wantedGuestSize, type ScaleMode, type ScreenSize } from './screen-scale'
import { ScreenClient } from './screen-client'
import { useConsoleLink, type ConsoleLink } from './use-console-link.composable'

export interface ScreenOptions {
  machineId: () => string
  /** Whether the machine is in a state in which it has a screen. */
  wanted: () => boolean
  /** Where the picture goes. */
  target: Ref<HTMLElement | null>
  /** What the picture has to fit in. */
  view: Readonly<Ref<ScreenSize>>
  devicePixelRatio: Readonly<Ref<number>>
  mode: Readonly<Ref<ScaleMode>>
  viewOnly: Readonly<Ref<boolean>>
  label: () => string
  onClipboard: (text: string) => void
}

export interface Screen {
  link: ConsoleLink
  /** The guest's screen in guest pixels; zero before the first connection. */
  size: Readonly<Ref<ScreenSize>>
  /** The picture in CSS pixels. */
  picture: Readonly<Ref<ScreenSize>>
  framesPerSecond: Readonly<Ref<number | null>>
  canResizeGuest: Readonly<Ref<boolean>>
  canShareClipboard: Readonly<Ref<boolean>>
  /** The picture as it was when the connection ended; null while there is a live one. */
  lastPicture: Readonly<Ref<HTMLCanvasElement | null>>
  client: Readonly<Ref<ScreenClient | null>>
  focus(): void
  releaseKeys(): void
  sendKeys(events: readonly KeyEvent[]): void
  sendClipboard(text: string): void
}

/** The graphical console of a machine: noVNC on a console stream, kept open while it is wanted. */
export function useScreen(options: ScreenOptions): Screen {
  const client = shallowRef<ScreenClient | null>(null)
  const size = shallowRef<ScreenSize>({ width: 0, height: 0 })
  const picture = shallowRef<ScreenSize>({ width: 0, height: 0 })
  const framesPerSecond = ref<number | null>(null)
  const canResizeGuest = ref(false)
  const canShareClipboard = ref(false)
  const lastPicture = shallowRef<HTMLCanvasElement | null>(null)

  function open(): () => void {
    const target = options.target.value
    if (target === null) throw new Error('The console was opened before its element was there.')
    const stream = openConsole(options.machineId(), { type: 'graphics' })
    const screen = new ScreenClient(target, stream, { shared: true, wsProtocols: [] })
    client.value = screen
    screen.background = 'transparent'
    screen.scaleViewport = true
    screen.showDotCursor = true
    screen.qualityLevel = 8
    screen.compressionLevel = 1
    screen.viewOnly = options.viewOnly.value
    screen.wantedGuestSize = () => wantedGuestSize(options.view.value, options.devicePixelRatio.value)
    const { canvas } = screen
    canvas.tabIndex = 0
    canvas.dataset['testid'] = 'screen-canvas'
    canvas.setAttribute('role', 'application')
    canvas.setAttribute('aria-label', options.label())

    screen.onSize = (next) => {
      size.value = next
      layOut()
    }
    screen.onCapabilities = () => {
      canResizeGuest.value = screen.canResizeGuest
      canShareClipboard.value = screen.canShareClipboard
    }
    screen.addEventListener('connect', () => {
      lastPicture.value = null
      screen.resizeSession = options.mode.value === 'resize'
      link.opened()
    })
    screen.addEventListener('clipboard', (event) => { options.onClipboard(event.detail.text) })
    let ended = false
    screen.addEventListener('disconnect', () => {
      if (ended) return
      ended = true
      keepPicture(screen)
      link.closed(stream.error?.message ?? 'The host closed the connection.')
    })
    return () => {
      screen.onSize = null
      screen.onCapabilities = null
      if (!ended) {
        ended = true
        keepPicture(screen)
        screen.disconnect()
      }
      if (client.value === screen) client.value = null
      framesPerSecond.value = null
      canShareClipboard.value = false
    }
  }

  function keepPicture(screen: ScreenClient): void {
    // No more than a picture from now on: nothing that Tab reaches or a screen reader names.
    for (const attribute of ['tabindex', 'role', 'aria-label']) screen.canvas.removeAttribute(attribute)
    if (screen.frames > 0 && screen.canvas.width > 0) lastPicture.value = screen.canvas
  }

  const link = useConsoleLink(() => options.wanted() && options.target.value !== null, open)

  function layOut(): void {
    const ratio = options.devicePixelRatio.value
    picture.value = pictureSize(options.mode.value, size.value, options.view.value, ratio)
    const canvas = client.value?.canvas
    if (canvas) canvas.style.imageRendering = isCrisp(size.value.width, picture.value.width, ratio) ? 'pixelated' : 'auto'
  }

  watch([options.view, options.devicePixelRatio, options.mode], () => {
    layOut()
    const screen = client.value
    if (screen === null) return
    screen.resizeSession = options.mode.value === 'resize'
    screen.askForViewSize()
  })
  watch(options.viewOnly, (viewOnly) => {
    const screen = client.value
    if (screen === null) return
    // Keys have to be released while noVNC still sends them.
    if (viewOnly) screen.releaseKeys()
    screen.viewOnly = viewOnly
  })

  let counted = 0
  const counter = setInterval(() => {
    const screen = client.value
    if (screen === null || link.state.value.phase !== 'connected') {
      framesPerSecond.value = null
      counted = 0
      return
    }
    framesPerSecond.value = counted > 0 || screen.frames > 0 ? Math.max(0, screen.frames - counted) : null
    counted = screen.frames
  }, 1000)
  onScopeDispose(() => { clearInterval(counter) })

  return {
    link, size, picture, framesPerSecond, canResizeGuest, canShareClipboard, lastPicture, client,
    focus: () => { client.value?.focus({ preventScroll: true }) },
    releaseKeys: () => { client.value?.releaseKeys() },
    sendKeys: (events) => { client.value?.sendKeys(events) },
    sendClipboard: (text) => { client.value?.clipboardPasteFrom(text) },
  }
}
