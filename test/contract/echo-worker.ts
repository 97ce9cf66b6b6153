import { duplexPair } from 'node:stream'
import type { LaunchPlan, RunningMachine } from '@core/engine/engine'
import { openHostChannel } from '../../src/worker/host-channel'
import { MachineWorker } from '../../src/worker/machine-worker'
import { FakeEngine } from '../../src/worker/testing/fake-engine'

/** How long the worker is busy before it looks at what a viewer has said, milliseconds: longer than the host is. */
const busyMs = 8

/** An engine whose screens send back whatever they are sent. */
class EchoEngine extends FakeEngine {
  override async start(plan: LaunchPlan, beforeGuestRuns?: () => Promise<void>): Promise<RunningMachine> {
    const machine = await super.start(plan, beforeGuestRuns)
    machine.openGraphics = () => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, busyMs)
      const [screen, viewer] = duplexPair()
      screen.pipe(screen)
      return Promise.resolve(viewer)
    }
    return machine
  }
}

// A worker as it is, in a process of its own, but for its engine.
new MachineWorker(openHostChannel(), new EchoEngine(), () => {
  process.exit()
})
