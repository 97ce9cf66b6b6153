import { acceptCompletion, autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, startCompletion, type Completion, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap, redo, redoDepth, undo, undoDepth } from '@codemirror/commands'
import { json } from '@codemirror/lang-json'
import { bracketMatching, foldGutter, foldKeymap, HighlightStyle, indentUnit, syntaxHighlighting } from '@codemirror/language'
import { lintGutter, setDiagnostics, type Diagnostic } from '@codemirror/lint'
import { Annotation, Compartment, EditorState } from '@codemirror/state'
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, hoverTooltip, keymap, lineNumbers, type Tooltip } from '@codemirror/view'
import { tags } from '@lezer/highlight'
import { offersAt, propertyAt, propertyInWords, type Offer, type Vocabulary } from './definition-completion'
import { placeAt, settingAt, type TextPlace } from './text-place'

/** A fault or a warning, by its line (from 1). */
export interface Mark { readonly line: number; readonly message: string; readonly severity: 'error' | 'warning' }

export interface DefinitionEditorOptions {
  readonly parent: HTMLElement
  readonly text: string
  readonly vocabulary: () => Vocabulary
  /** The text is another one, by the person’s hand. */
  readonly onText: (text: string) => void
  /** The path of the setting that the cursor is at. */
  readonly onSetting: (path: readonly string[]) => void
  readonly attributes: Readonly<Record<string, string>>
}

export interface DefinitionEditor {
  /** Shows another text, with the cursor where it was as far as that is still there. */
  setText(text: string): void
  setFixed(fixed: boolean): void
  setInvalid(invalid: boolean): void
  mark(marks: readonly Mark[]): void
  /** Puts the cursor on a line, and selects it. */
  goTo(line: number): void
  /** Takes back what was typed last; false: nothing was. */
  undo(): boolean
  redo(): boolean
  hasFocus(): boolean
  destroy(): void
}

/** Set by the program, so that it is nobody’s edit. */
const fromOutside = Annotation.define<boolean>()

/** The definition as text in an editor that knows what may be written where. */
export function openDefinitionEditor({ parent, text, vocabulary, onText, onSetting, attributes }: DefinitionEditorOptions): DefinitionEditor {
  const fixed = new Compartment()
  const invalid = new Compartment()
  const view = new EditorView({
    parent, doc: text,
    extensions: [
      lineNumbers(), foldGutter(), lintGutter(), history(), drawSelection(), bracketMatching(), closeBrackets(), highlightActiveLine(), highlightActiveLineGutter(), json(), indentUnit.of('  '),
      syntaxHighlighting(colours), look,
      autocompletion({ override: [(context) => complete(context, vocabulary)], icons: false, optionClass: (completion) => (obstacleOf(completion) === null ? '' : 'cm-unavailable'), addToOptions: [{ render: plainWords, position: 70 }] }),
      hoverTooltip((of, position) => hover(of, position, vocabulary)),
      // Tab leaves, as it does everywhere; only a choice that is open is taken with it.
      keymap.of([{ key: 'Tab', run: acceptCompletion }, ...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...foldKeymap, ...completionKeymap]),
      // Text that can be edited has the focus anyway; what tests pages for people with a screen reader only knows it by this.
      EditorView.contentAttributes.of({ tabindex: '0', ...attributes }), fixed.of([]), invalid.of([]),
      EditorView.updateListener.of((update) => {
        if (update.docChanged && !update.transactions.some((transaction) => transaction.annotation(fromOutside) === true)) onText(update.state.doc.toString())
        if (update.docChanged || update.selectionSet) onSetting(settingAt(update.state.doc.toString(), update.state.selection.main.head))
      }),
    ],
  })
  onSetting([])
  return {
    setText(next) {
      const now = view.state.doc.toString()
      if (now === next) return
      view.dispatch({ changes: changed(now, next), annotations: fromOutside.of(true) })
    },
    setFixed(isFixed) { view.dispatch({ effects: fixed.reconfigure(isFixed ? [EditorState.readOnly.of(true)] : []) }) },
    setInvalid(isInvalid) { view.dispatch({ effects: invalid.reconfigure(EditorView.contentAttributes.of({ 'aria-invalid': String(isInvalid) })) }) },
    mark(marks) { view.dispatch(setDiagnostics(view.state, marks.map((mark) => diagnostic(view.state, mark)))) },
    goTo(number) {
      const line = view.state.doc.line(Math.min(Math.max(number, 1), view.state.doc.lines))
      view.dispatch({ selection: { anchor: line.from, head: line.to }, effects: EditorView.scrollIntoView(line.from, { y: 'center' }) })
      view.focus()
    },
    undo: () => undoDepth(view.state) > 0 && undo(view),
    redo: () => redoDepth(view.state) > 0 && redo(view),
    hasFocus: () => view.hasFocus,
    destroy() { view.destroy() },
  }
}

/** The smallest change from one text to another, so that the cursor and what is folded stay. */
function changed(now: string, next: string): { from: number; to: number; insert: string } {
  let from = 0
  while (from < now.length && from < next.length && now.charAt(from) === next.charAt(from)) from += 1
  let end = 0
  while (end < now.length - from && end < next.length - from && now.at(-1 - end) === next.at(-1 - end)) end += 1
  return { from, to: now.length - end, insert: next.slice(from, next.length - end) }
}

function diagnostic(state: EditorState, { line, message, severity }: Mark): Diagnostic {
  const { from, to, text } = state.doc.line(Math.min(Math.max(line, 1), state.doc.lines))
  return { from: Math.min(from + text.length - text.trimStart().length, to), to, severity, message }
}

function complete(context: CompletionContext, vocabulary: () => Vocabulary): CompletionResult | null {
  const text = context.state.doc.toString()
  const place = placeAt(text, context.pos)
  if (place === null) return null
  // Unasked only where something is begun; a blank line asks for nothing.
  if (!context.explicit && place.to === place.from) return null
  const options = offersAt(place, vocabulary()).map((offer) => completion(offer, place))
  const isQuoted = text.charAt(place.from) === '"' && place.to > place.from
  return options.length === 0 ? null : { from: isQuoted ? place.from + 1 : place.from, options, validFor: /^[\w.+-]*$/u }
}

const obstacles = new WeakMap<Completion, string>()
const details = new WeakMap<Completion, string>()
function obstacleOf(completion: Completion): string | null {
  return obstacles.get(completion) ?? null
}

function completion({ label, text, detail, info, obstacle }: Offer, place: TextPlace): Completion {
  const made: Completion = {
    label,
    ...(obstacle === null ? {} : { boost: -99 }),
    apply(view) {
      // What can't be had is shown with its reason, and not written.
      if (obstacle !== null) return
      const now = view.state.doc.toString()
      const there = placeAt(now, view.state.selection.main.head) ?? place
      const hasColon = /^\s*:/u.test(now.slice(there.to, there.to + 20))
      const insert = there.kind === 'key' && !hasColon ? `${text}: ` : text
      view.dispatch({ changes: { from: there.from, to: there.to, insert }, selection: { anchor: there.from + insert.length }, userEvent: 'input.complete', scrollIntoView: true })
      if (there.kind === 'key' && !hasColon) startCompletion(view)
    },
  }
  const about = obstacle ?? info
  if (about !== '') made.info = about
  if (detail !== '') details.set(made, detail)
  if (obstacle !== null) obstacles.set(made, obstacle)
  return made
}

function plainWords(completion: Completion): Node | null {
  const words = obstacleOf(completion) === null ? details.get(completion) : `${details.get(completion) ?? ''} — not here`
  if (words === undefined) return null
  const node = document.createElement('span')
  node.className = 'cm-words'
  node.textContent = words
  return node
}

function hover({ state }: EditorView, position: number, vocabulary: () => Vocabulary): Tooltip | null {
  const text = state.doc.toString()
  const place = placeAt(text, position)
  if (place === null || place.to === place.from) return null
  const property = propertyAt(settingAt(text, position), vocabulary().properties)
  if (property === null) return null
  const { title, term, help, range, obstacle } = propertyInWords(property)
  return {
    pos: place.from, end: place.to, above: true,
    create: () => {
      const dom = document.createElement('div')
      dom.className = 'cm-about'
      const line = (words: string, name: string): void => {
        if (words === '') return
        const node = document.createElement('p')
        node.className = name
        node.textContent = words
        dom.append(node)
      }
      line(title, 'cm-about-title')
      line(term, 'cm-about-term')
      line([help, range].filter(Boolean).join(' '), '')
      line(obstacle ?? '', 'cm-about-obstacle')
      return { dom }
    },
  }
}

/** By the page's own colours, which are others in the dark. */
const colours = HighlightStyle.define([
  { tag: tags.propertyName, color: 'var(--ui-primary)' }, { tag: tags.string, color: 'var(--ui-success)' }, { tag: [tags.number, tags.bool, tags.null], color: 'var(--ui-warning)' },
  { tag: [tags.separator, tags.squareBracket, tags.brace], color: 'var(--ui-text-muted)' },
])
const look = EditorView.theme({
  '&': { height: '100%', fontSize: '12px', backgroundColor: 'var(--ui-bg-stage)', color: 'var(--ui-text-highlighted)' },
  '&.cm-focused': { outline: 'none' },
  // Above the line numbers, which an outline would run below.
  '&.cm-focused::after': { content: '""', position: 'absolute', inset: '0', border: '2px solid var(--ui-primary)', pointerEvents: 'none', zIndex: '300' },
  '.cm-scroller': { fontFamily: 'var(--font-mono)', lineHeight: '20px' },
  '.cm-content': { padding: '12px 0', caretColor: 'var(--ui-text-highlighted)', userSelect: 'text' },
  '.cm-content:focus-visible': { outline: 'none' },
  '.cm-cursor': { borderLeftColor: 'var(--ui-text-highlighted)' },
  '.cm-gutters': { backgroundColor: 'var(--ui-bg-stage)', color: 'var(--ui-text-muted)', borderRight: '1px solid var(--ui-border)' },
  '.cm-lineNumbers .cm-gutterElement': { minWidth: '36px', padding: '0 6px' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'var(--row-hover)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: 'color-mix(in srgb, var(--ui-primary) 25%, transparent)' },
  '&.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--row-selected)', outline: '1px solid var(--ui-border-accented)' },
  '.cm-tooltip': { backgroundColor: 'var(--ui-bg)', color: 'var(--ui-text)', border: '1px solid var(--ui-border-accented)', borderRadius: '6px', boxShadow: '0 6px 20px rgb(0 0 0 / 0.18)', fontFamily: 'var(--font-sans)' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--font-mono)', fontSize: '12px', maxHeight: '15em', minWidth: '22em', padding: '4px' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li': { display: 'flex', gap: '12px', padding: '3px 8px', borderRadius: '4px', lineHeight: '18px' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { backgroundColor: 'var(--row-selected)', color: 'var(--ui-text-highlighted)' },
  '.cm-words': { marginLeft: 'auto', color: 'var(--ui-text-muted)', fontFamily: 'var(--font-sans)' },
  '.cm-unavailable .cm-completionLabel': { color: 'var(--ui-text-muted)', textDecoration: 'line-through' },
  '.cm-completionMatchedText': { textDecoration: 'none', fontWeight: '600', color: 'var(--ui-primary)' },
  '.cm-tooltip.cm-completionInfo': { padding: '6px 10px', fontSize: '12px', maxWidth: '26em' },
  '.cm-about': { padding: '8px 12px', fontSize: '12px', maxWidth: '30em', lineHeight: '17px' },
  '.cm-about-title': { fontWeight: '600', color: 'var(--ui-text-highlighted)' },
  '.cm-about-term': { fontFamily: 'var(--font-mono)', fontSize: '11px', color: 'var(--ui-text-muted)' },
  '.cm-about-obstacle': { color: 'var(--ui-warning)' },
  '.cm-diagnostic-error': { borderLeftColor: 'var(--ui-error)' },
  '.cm-diagnostic-warning': { borderLeftColor: 'var(--ui-warning)' },
  '.cm-foldPlaceholder': { backgroundColor: 'var(--ui-bg-elevated)', border: '1px solid var(--ui-border)', color: 'var(--ui-text-muted)' },
})
