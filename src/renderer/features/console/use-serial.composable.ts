import { FitAddon } from '@xterm/addon-fit'
import { SearchAddon } from '@xterm/addon-search'
import { WebglAddon } from '@xterm/addon-webgl'
import { Terminal } from '@xterm/xterm'
import { useLocalStorage, useResizeObserver } from '@vueuse/core'
import { onScopeDispose, ref, shallowRef, watch, type Ref, type ShallowRef } from 'vue'
import { copyText } from '../../lib/clipboard'
import { openConsole } from '../../transport/console-stream'
import { ReleaseChord } from './release-chord'
import { terminalThemes } from './terminal-theme'
import { useConsoleLink, type ConsoleLink } from './use-console-link.composable'

/** Lines kept above the visible ones. */
export const scrollbackLines = 10_000

export interface SerialOptions {
  machineId: () => string
  port: number
  wanted: () => boolean
  /** Where the terminal goes. */
  target: Ref<HTMLElement | null>
  dark: () => boolean
  /** The text of the log while the machine is off; null when there is none to be had. */
  loadLog: () => Promise<string | null>
  onSearch: () => void
  /** Ctrl and Alt were pressed together: the keyboard goes elsewhere. */
  onRelease: () => void
}

export interface Serial {
  link: ConsoleLink
  search: SearchAddon
  columns: Readonly<Ref<number>>
  rows: Readonly<Ref<number>>
  focused: Readonly<Ref<boolean>>
  hasSelection: Readonly<Ref<boolean>>
  fontSize: Ref<number>
  /** Also writes the text where screen readers find it; costs speed, so it is off until asked for. */
  screenReader: Ref<boolean>
  renderer: Readonly<ShallowRef<'webgl' | 'dom'>>
  focus(): void
  clear(): void
  copy(): Promise<void>
  paste(text: string): void
  /** Sends text to the guest as if it had been typed. */
  type(text: string): void
  /** All that the terminal holds, as text. */
  text(): string
}

/** The serial console of one port: xterm on a console stream. Must be called before the target is mounted. */
export function useSerial(options: SerialOptions): Serial {
  const fontSize = useLocalStorage('ringside.serialFontSize', 13)
  const screenReader = useLocalStorage('ringside.serialScreenReader', false)
  const terminal = new Terminal({
    scrollback: scrollbackLines,
    fontFamily: "ui-monospace, 'SF Mono', 'Cascadia Mono', 'DejaVu Sans Mono', monospace",
    fontSize: fontSize.value,
    lineHeight: 1.15,
    cursorBlink: true,
    theme: terminalThemes[options.dark() ? 'dark' : 'light'],
    minimumContrastRatio: 4.5,
    macOptionIsMeta: true,
    screenReaderMode: screenReader.value,
    scrollOnUserInput: true,
    allowProposedApi: true,
  })
  const fit = new FitAddon()
  const search = new SearchAddon()
  terminal.loadAddon(fit)
  terminal.loadAddon(search)

  const columns = ref(terminal.cols)
  const rows = ref(terminal.rows)
  const focused = ref(false)
  const hasSelection = ref(false)
  const renderer = shallowRef<'webgl' | 'dom'>('dom')
  const encoder = new TextEncoder()
  let send: ((bytes: Uint8Array) => void) | null = null
  /** Whether the terminal shows a log or an earlier connection, which the host's replay would show twice. */
  let stale = false

  terminal.onData((text) => send?.(encoder.encode(text)))
  terminal.onBinary((binary) => send?.(Uint8Array.from(binary, (character) => character.charCodeAt(0))))
  terminal.onResize((size) => {
    columns.value = size.cols
    rows.value = size.rows
  })
  terminal.onSelectionChange(() => { hasSelection.value = terminal.hasSelection() })

  const release = new ReleaseChord()
  terminal.attachCustomKeyEventHandler((event) => {
    if (event.type !== 'keypress' && release.handle(event)) {
      options.onRelease()
      return false
    }
    if (event.type !== 'keydown' || !event.shiftKey || !(event.ctrlKey || event.metaKey)) return true
    switch (event.code) {
      case 'KeyC':
        event.preventDefault()
        void copy()
        return false
      case 'KeyV':
        // Left to the browser: it pastes into the terminal without having to ask for leave.
        return false
      case 'KeyF':
        event.preventDefault()
        options.onSearch()
        return false
      default:
        return true
    }
  })

  function open(): () => void {
    const stream = openConsole(options.machineId(), { type: 'serial', port: options.port })
    stream.binaryType = 'arraybuffer'
    let ended = false
    stream.onopen = () => {
      // The host replays the tail of the log on attach, so what stands here would come twice.
      if (stale) terminal.reset()
      stale = true
      send = (bytes) => { stream.send(bytes) }
      terminal.options.disableStdin = false
      link.opened()
    }
    stream.onmessage = (event) => { terminal.write(new Uint8Array(event.data)) }
    stream.onclose = () => {
      if (ended) return
      ended = true
      send = null
      link.closed(stream.error?.message ?? 'The host closed the connection.')
    }
    return () => {
      send = null
      terminal.options.disableStdin = true
      stream.onmessage = null
      if (ended) return
      ended = true
      stream.close()
    }
  }
  terminal.options.disableStdin = true
  const link = useConsoleLink(() => options.wanted() && options.target.value !== null, open)

  async function showLog(): Promise<void> {
    const text = await options.loadLog()
    if (text === null || stale || link.state.value.phase !== 'idle') return
    stale = true
    terminal.write(text.replace(/\r?\n/gu, '\r\n'))
  }

  function attachWebgl(): void {
    try {
      const webgl = new WebglAddon()
      webgl.onContextLoss(() => {
        webgl.dispose()
        renderer.value = 'dom'
      })
      terminal.loadAddon(webgl)
      renderer.value = 'webgl'
    } catch {
      // No WebGL 2 here: the terminal draws with elements instead.
      renderer.value = 'dom'
    }
  }

  function refit(): void {
    // A hidden terminal has no size, and fitting it would leave it one column wide.
    if ((options.target.value?.clientWidth ?? 0) > 0) fit.fit()
  }

  watch(options.target, (target) => {
    if (target === null) return
    terminal.open(target)
    attachWebgl()
    const { textarea } = terminal
    textarea?.addEventListener('focus', () => { focused.value = true })
    textarea?.addEventListener('blur', () => {
      focused.value = false
      release.reset()
    })
    refit()
    if (!options.wanted()) void showLog()
  }, { flush: 'post' })
  useResizeObserver(options.target, refit)
  watch(options.dark, (dark) => { terminal.options.theme = terminalThemes[dark ? 'dark' : 'light'] })
  watch(fontSize, (size) => {
    terminal.options.fontSize = size
    refit()
  })
  watch(screenReader, (on) => { terminal.options.screenReaderMode = on })
  onScopeDispose(() => { terminal.dispose() })

  async function copy(): Promise<void> {
    const text = terminal.getSelection()
    if (text !== '') await copyText(text)
  }

  return {
    link, search, columns, rows, focused, hasSelection, fontSize, screenReader, renderer,
    focus: () => { terminal.focus() },
    clear: () => { terminal.clear() },
    copy,
    paste: (text) => { terminal.paste(text) },
    type: (text) => send?.(encoder.encode(text)),
    text: () => {
      const { active } = terminal.buffer
      const lines: string[] = []
      for (let row = 0; row < active.length; row += 1) {
        const line = active.getLine(row)
        const text = line?.translateToString(true) ?? ''
        if (line?.isWrapped) lines.push((lines.pop() ?? '') + text)
        else lines.push(text)
      }
      return lines.join('\n').trimEnd()
    },
  }
}
