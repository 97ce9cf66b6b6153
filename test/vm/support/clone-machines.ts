import { join } from 'node:path'
import type { CloneRequest, MachineView } from '@shared/model'
import { LedgerConsole, ledgerMachine } from './ledger-machines'
import { OpenLibrary } from './open-library'
import type { NewMachine } from './real-host'
import { SerialSession } from './serial-session'
import { ledgerOf, ownFiles, readDisks } from './sound-machine'
import { qemuImg } from './storage-host'

const nic = (id: string, macAddress: string): NonNullable<NonNullable<NewMachine['definition']>['nics']>[number] => ({ id, model: 'e1000', macAddress, backend: { type: 'user' } })

/** A machine with a ledger and a network card. */
export function original(name = 'original', more: NewMachine['definition'] = {}): NewMachine {
  const machine = ledgerMachine(name)
  return { ...machine, definition: { ...machine.definition, nics: [nic('nic0', '52:54:00:00:00:01')], ...more } }
}

export function request(id: string, name: string, more: Partial<CloneRequest> = {}): CloneRequest {
  return { id, name, snapshotId: null, kind: 'full', warm: false, ...more }
}

/** What a machine's disks hold now. */
export async function content({ folder, definition }: MachineView): Promise<Record<string, Buffer>> {
  return readDisks(folder, definition)
}

export async function ledger(machine: MachineView): Promise<number> {
  return ledgerOf(await content(machine)).number
}

/** Starts a machine, lets its guest write some numbers, and pulls its plug when it holds still. */
export async function writeSome(host: OpenLibrary, id: string, count = 5): Promise<number> {
  await host.calls.machines.start(id)
  using console = await LedgerConsole.open(host, id)
  await console.write(count)
  const last = await console.verify()
  await host.calls.machines.powerOff(id)
  return last
}

/** Types a letter that the guest has not been sent before, and waits for its answer. */
export async function say(host: OpenLibrary, id: string, letter: string, then?: RegExp): Promise<void> {
  const stream = await host.openConsole(id, 'serial')
  using session = new SerialSession(stream)
  session.send(letter)
  await session.waitFor(`<${letter}>`)
  if (then !== undefined) await session.waitFor(then)
  stream.destroy()
}

/** Images of a machine that read from another folder, by what they read from. */
export async function outsideReads({ folder }: MachineView): Promise<string[]> {
  const images = (await ownFiles(folder)).filter((file) => file.endsWith('.qcow2'))
  const found = await Promise.all(images.map(async (file) => (JSON.parse(await qemuImg('info', '-U', '--output=json', join(folder, file))) as { 'backing-filename'?: string })['backing-filename']))
  return found.filter((name) => name?.includes('..') === true).map(String)
}
