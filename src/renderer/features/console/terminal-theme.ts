import type { ITheme } from '@xterm/xterm'

/** Colours of the serial terminal. Every colour of text has at least 4.5:1 on its ground, so that nothing a guest writes is lost. */
export const terminalThemes: Readonly<Record<'dark' | 'light', ITheme>> = {
  dark: {
    background: '#0f0f11', foreground: '#e4e4e7', cursor: '#38bdf8', cursorAccent: '#0f0f11', selectionBackground: '#38bdf84d', selectionInactiveBackground: '#a1a1aa40',
    black: '#71717a', red: '#f87171', green: '#4ade80', yellow: '#fbbf24', blue: '#60a5fa', magenta: '#c084fc', cyan: '#22d3ee', white: '#d4d4d8',
    brightBlack: '#a1a1aa', brightRed: '#fca5a5', brightGreen: '#86efac', brightYellow: '#fde047', brightBlue: '#93c5fd', brightMagenta: '#d8b4fe', brightCyan: '#67e8f9', brightWhite: '#fafafa',
  },
  light: {
    background: '#fcfcfd', foreground: '#27272a', cursor: '#0284c7', cursorAccent: '#fcfcfd', selectionBackground: '#0284c740', selectionInactiveBackground: '#71717a33',
    black: '#18181b', red: '#b91c1c', green: '#15803d', yellow: '#a16207', blue: '#1d4ed8', magenta: '#7e22ce', cyan: '#0e7490', white: '#52525b',
    brightBlack: '#52525b', brightRed: '#dc2626', brightGreen: '#166534', brightYellow: '#854d0e', brightBlue: '#2563eb', brightMagenta: '#9333ea', brightCyan: '#155e75', brightWhite: '#3f3f46',
  },
}
