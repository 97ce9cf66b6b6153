import type { EncryptionState, MachineView } from '@shared/model'
import { usageError, type Cli, type Run } from '../cli'
import { givenPassphrase, newPassphrase, passphraseHint } from '../passphrase'
import { machineOf } from '../snapshot-output'

interface PassphraseOptions { passphraseFile?: string; newPassphraseFile?: string }

/** `ringside encryption …` */
export function registerEncryption(cli: Cli): void {
  const group = cli.group('encryption', 'Passphrases of machines with encrypted disks.')
  registerStatus(cli, group)
  registerPassphrase(cli, group)
  registerDiskKey(cli, group)
  registerForget(cli, group)
}

function registerStatus(cli: Cli, group: Pick<Cli, 'command'>): void {
  const command = group.command('status <machine>', 'Says which disks are encrypted, and whether the passphrase has to be given.')
  command.action((wanted: string) =>
    cli.perform(command, async (run) => {
      const machine = await run.machine(wanted)
      const state = await run.client.encryption.state({ id: machine.id })
      run.answer({ ...machineOf(machine), ...state }, inWords(machine, state))
    }),
  )
}

function inWords({ definition: { name } }: MachineView, { diskIds, hasKey, unlocked, remembered, keychain, obstacle }: EncryptionState): string {
  const disks = diskIds.length === 0 ? `No disk of “${name}” is encrypted.` : `Encrypted disks of “${name}”: ${diskIds.join(', ')}.`
  const key = hasKey ? (unlocked ? 'It is unlocked now.' : 'Its passphrase is needed to open them.') : 'It has no passphrase yet.'
  const kept = remembered ? 'The keychain keeps its disk key.' : keychain.available ? 'The keychain does not keep its disk key.' : (keychain.reason ?? '')
  return [disks, key, kept, obstacle].filter((sentence) => sentence !== null && sentence !== '').map((sentence) => `${String(sentence)}\n`).join('')
}

function registerPassphrase(cli: Cli, group: Pick<Cli, 'command'>): void {
  const command = group
    .command('passphrase <machine>', 'Gives a machine its passphrase, or another one. Also while it runs; disks are not written anew.')
    .option('--new-passphrase-file <file>', 'read the new one from the first line of a file, “-” for standard input, instead of asking')
    .addHelpText('after', '\nA passphrase that is lost is data that is lost: nothing else opens the disks.\n\nExamples:\n  ringside encryption passphrase web-01\n  ringside encryption passphrase web-01 --passphrase-file old.txt --new-passphrase-file new.txt')
  command.action((wanted: string, options: PassphraseOptions) =>
    cli.perform(command, async (run) => {
      const machine = await run.machine(wanted)
      const { hasKey } = await run.client.encryption.state({ id: machine.id })
      if (hasKey && options.passphraseFile === '-' && options.newPassphraseFile === '-') throw usageError('error: standard input holds one of the two passphrases; put the other one into a file')
      const current = hasKey ? await presentPassphrase(run, machine, options) : null
      const passphrase = await newPassphrase(run, options.newPassphraseFile, machine.definition.name)
      if (passphrase === null) throw usageError('error: the passphrase is asked for; say --new-passphrase-file where nobody can answer')
      const state = await run.client.encryption.setPassphrase({ id: machine.id, current, passphrase })
      run.answer({ ...machineOf(machine), ...state }, hasKey ? `“${machine.definition.name}” has another passphrase now; the old one opens nothing any more.\n` : `“${machine.definition.name}” has a passphrase now. Disks that are added with --encrypt open with it only.\n`)
    }),
  )
}

function registerDiskKey(cli: Cli, group: Pick<Cli, 'command'>): void {
  const command = group
    .command('disk-key <machine>', 'Prints the disk key itself, to be kept in a safe place: it opens the images with any program that knows LUKS in qcow2.')
    .addHelpText('after', '\nExample:\n  ringside encryption disk-key web-01 > key\n  qemu-img convert --object secret,id=key,file=key --image-opts driver=qcow2,encrypt.format=luks,encrypt.key-secret=key,file.filename=disk0.qcow2 -O raw disk0.raw')
  command.action((wanted: string, options: PassphraseOptions) =>
    cli.perform(command, async (run) => {
      const machine = await run.machine(wanted)
      const { key } = await run.client.encryption.diskKey({ id: machine.id, passphrase: await presentPassphrase(run, machine, options) })
      // Without a line end: as a file it is the key as QEMU takes it.
      run.answer({ ...machineOf(machine), key }, key)
    }),
  )
}

function registerForget(cli: Cli, group: Pick<Cli, 'command'>): void {
  const command = group.command('lock <machine>', 'Forgets a machine’s disk key, in memory and in the keychain. A machine that runs goes on.')
  command.action((wanted: string) =>
    cli.perform(command, async (run) => {
      const machine = await run.machine(wanted)
      await run.client.encryption.forget({ id: machine.id })
      const state = await run.client.encryption.lock({ id: machine.id })
      run.answer({ ...machineOf(machine), ...state }, `The passphrase of “${machine.definition.name}” is asked for from now on.\n`)
    }),
  )
}

async function presentPassphrase(run: Run, { definition: { name } }: MachineView, { passphraseFile }: PassphraseOptions): Promise<string> {
  const given = await givenPassphrase(run, passphraseFile, `Passphrase of “${name}”: `)
  if (given === null) throw usageError(`error: the passphrase is asked for. ${passphraseHint}`)
  return given
}
