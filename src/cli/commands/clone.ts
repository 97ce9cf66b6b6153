import type { CloneRequest } from '@shared/model'
import { usageError, type Cli, type Run } from '../cli'
import { answerMadeMachine } from '../answer-made-machine'
import { pickSnapshot } from '../find-snapshot'
import { followJob, remarkNotes } from '../follow-job'
import { orTheCommandThatMends } from '../mending-command'
import { machineAsJson } from '../output'
import { newPassphrase } from '../passphrase'

interface CloneOptions {
  snapshot?: string
  linked?: boolean
  warm?: boolean
  encrypt?: boolean
  decrypt?: boolean
  newPassphraseFile?: string
  start?: boolean
}

export function registerClone(cli: Cli): void {
  const command = cli
    .command('clone <machine> <name>', 'Makes a new machine from this one, or from one of its snapshots, also while it runs.')
    .option('--snapshot <snapshot>', 'from that instant, instead of from now')
    .option('--linked', 'there at once and small: its disks read from the original’s, which has to stay')
    .option('--warm', 'go on from the memory of the original: a template’s, a saved machine’s or the snapshot’s')
    .option('--encrypt', 'encrypt the disks of a full clone with a passphrase of its own, which is asked for; lost, the data is lost')
    .option('--new-passphrase-file <file>', 'read that one from the first line of a file, “-” for standard input, instead of asking')
    .option('--decrypt', 'write the disks of a full clone unencrypted')
    .option('--start', 'start it when it is made')
    .addHelpText('after', '\nA clone has an id and network addresses of its own. A linked one of a machine that is no template takes a snapshot first,\nfor it to stand on. A warm one has the original’s addresses and identity in its memory until it is started cold.\nDisks that snapshots or linked clones keep from being encrypted in place are encrypted by way of a full clone.\n\nExamples:\n  ringside clone web-01 staging\n  ringside clone web-01 staging --snapshot Configured --linked\n  ringside clone golden shop-03 --linked --warm --start\n  ringside clone web-01 web-02 --encrypt')
  command.action((wanted: string, name: string, options: CloneOptions) =>
    cli.perform(command, async (run) => {
      const machine = await run.machine(wanted)
      const { id, definition } = machine
      const encryption = await encryptionOf(run, name, options)
      const snapshotId = options.snapshot === undefined ? null : pickSnapshot(await run.client.snapshot.tree({ id }), definition.name, options.snapshot).id
      const job = await run.client.machine.clone({ id, name, snapshotId, kind: options.linked === true ? 'linked' : 'full', warm: options.warm === true, ...(encryption === undefined ? {} : { encryption }), startWhenCreated: options.start === true })
      await answerMadeMachine(run, await orTheCommandThatMends(run, machine, followJob(run, job)))
    }),
  )
}

async function encryptionOf(run: Run, name: string, { encrypt, decrypt, linked, newPassphraseFile }: CloneOptions): Promise<CloneRequest['encryption']> {
  if (encrypt === true && decrypt === true) throw usageError('error: say one of --encrypt and --decrypt')
  if (linked === true && (encrypt === true || decrypt === true)) throw usageError('error: a linked clone reads from the disks of its original, and is encrypted as they are; only a full one goes with --encrypt and --decrypt')
  if (newPassphraseFile !== undefined && encrypt !== true) throw usageError('error: --new-passphrase-file goes with --encrypt')
  if (encrypt !== true) return decrypt === true ? 'none' : undefined
  const passphrase = await newPassphrase(run, newPassphraseFile, name)
  if (passphrase === null) throw usageError('error: the passphrase is asked for; say --new-passphrase-file where nobody can answer')
  return { passphrase, remember: false }
}

export function registerClones(cli: Cli): void {
  const command = cli
    .command('clones <machine>', 'Machines whose disks read from this one’s.')
    .addHelpText('after', '\nExample:\n  ringside clones golden')
  command.action((wanted: string) =>
    cli.perform(command, async (run) => {
      const { id, definition } = await run.machine(wanted)
      const clones = await run.client.machine.linkedClones({ id })
      run.answer({ id, name: definition.name, clones }, clones.length === 0 ? `No machine reads from the disks of “${definition.name}”.\n` : clones.map((clone) => `${clone.name} (${clone.id.slice(0, 8)})\n`).join(''))
    }),
  )
}

export function registerDetach(cli: Cli): void {
  const command = cli
    .command('detach <machine>', 'Makes a linked clone independent: copies into it what it reads from its original.')
    .addHelpText('after', '\nExample:\n  ringside detach staging')
  command.action((wanted: string) =>
    cli.perform(command, async (run) => {
      const { id } = await run.machine(wanted)
      const { notes } = await followJob(run, await run.client.machine.detach({ id }))
      const machine = await run.client.machine.get({ id })
      run.answer({ ...machineAsJson(machine), notes }, `“${machine.definition.name}” is independent.\n`)
      remarkNotes(run, notes)
    }),
  )
}
