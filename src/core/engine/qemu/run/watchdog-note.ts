/**
 * What is told of a watchdog that ran out; null where its pause is told anyway.
 * @param action QEMU's [qapi/run-state.json, WatchdogAction]
 */
export function watchdogNote(action: string): string | null {
  if (action === 'pause') return null
  const what = Object.hasOwn(consequences, action) ? consequences[action] : 'QEMU was told of it'
  return `The guest’s watchdog ran out, since the guest had stopped responding: ${what ?? ''}.`
}

const consequences: Readonly<Record<string, string>> = {
  reset: 'the machine was reset', shutdown: 'the guest was asked to shut down', poweroff: 'the machine was switched off', debug: 'QEMU wrote it to its log', none: 'nothing was done', 'inject-nmi': 'the guest was sent an interrupt (NMI)',
}
