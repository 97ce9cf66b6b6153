import { openHost } from '@core/app/host'
import { createNodeWorkerLauncher } from '@core/machine'
import { serialiseError } from '@shared/errors'
import { serveConsoles } from './console-server'
import { callService, type CalledService } from './host-calls'
import { StepHooks, type Step } from './step-hooks'

/** What the test asks of its host process. */
export type HostRequest =
  /** `holdAt`: the host stops at that step of the call, counted from 0, says so and waits for ever. */
  | { method: 'call'; service: CalledService; name: string; args: unknown[]; holdAt?: number }
  | { method: 'close'; running: 'keepRunning' | 'save' | 'shutDown' }

const [worker = ''] = process.argv.slice(2)
const hooks = new StepHooks()
const host = await openHost({
  // Without a spare worker: nothing else of this library runs than what a test started.
  shell: 'cli',
  launcher: createNodeWorkerLauncher(worker),
  log: (error) => { console.error(error) },
  trash: null,
  atStep: hooks.atStep,
})
const { machines } = host.services
const consoles = await serveConsoles(machines)

async function answer(request: HostRequest & { id: number }): Promise<unknown> {
  if (request.method === 'call') {
    const { id, service, name, args, holdAt } = request
    return hooks.during((step) => (step.index === holdAt ? hold(id, step) : undefined), () => callService(host.services, service, name, args))
  }
  await host.close({ running: request.running })
  consoles.close()
  return null
}

function hold(id: number, step: Step): Promise<void> {
  process.send?.({ id, held: step })
  return new Promise<void>(() => undefined)
}

process.on('message', (request: HostRequest & { id: number }) => {
  answer(request).then(
    (result) => process.send?.({ id: request.id, result }),
    (error: unknown) => process.send?.({ id: request.id, error: serialiseError(error) }),
  )
})
machines.onChange((change) => {
  if (change.type === 'changed') process.send?.({ changed: change.machine })
})
process.send?.({ ready: true, port: consoles.port })
