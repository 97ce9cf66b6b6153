import type { ProbeReport } from '@shared/model'
import { ExitWith, type Cli } from '../cli'
import { exitCodes } from '../exit-codes'
import { facts, table } from '../output'

export function registerProbe(cli: Cli): void {
  const command = cli
    .command('probe', 'What QEMU and which accelerators this computer has, proved; ends with 6 when there is no usable QEMU.')
    .option('--refresh', 'ask and prove again instead of showing the last result')
  command.action((options: { refresh?: boolean }) =>
    cli.perform(command, async (run) => {
      const report = await run.client.host.probe({ refresh: options.refresh === true })
      run.answer(report, probeInWords(report))
      if (report.qemu === null) throw new ExitWith(exitCodes.noQemu)
    }),
  )
}

function probeInWords({ qemu, qemuProblem, accelerators, bestAccelerator, probedAt }: ProbeReport): string {
  const head = qemu
    ? facts([
        ['QEMU', `${qemu.version}${qemu.package === '' ? '' : ` (${qemu.package})`}`],
        ['Program', qemu.systemPath],
        ['Disk tool', qemu.imgPath],
        ['Firmware', qemu.firmware.length === 0 ? 'no UEFI firmware found' : `${String(qemu.firmware.length)} UEFI images`],
        ['TPM', qemu.tpm && (qemu.tpm.program === null ? `none: ${[qemu.tpm.obstacle, qemu.tpm.remedy].filter(Boolean).join(' ')}` : `2.0, by swtpm ${qemu.tpm.program.version} (${qemu.tpm.program.path})`)],
        ['Shared folders', qemu.virtiofs && (qemu.virtiofs.path === null ? `9p: ${[qemu.virtiofs.obstacle, qemu.virtiofs.remedy].filter(Boolean).join(' ')}` : `virtiofs (${qemu.virtiofs.path})`)],
        ['Best', bestAccelerator],
        ['Probed', probedAt],
      ])
    : `${qemuProblem?.message ?? 'There is no usable QEMU.'}\n${qemuProblem?.remedy ?? ''}\n${(qemuProblem?.searched ?? []).map((path) => `  looked at ${path}\n`).join('')}`
  const rows = accelerators.map((one) => [one.name, one.works ? `works (${String(Math.round(one.selfTestMs ?? 0))} ms)` : 'no', one.message])
  const remedies = accelerators.filter((one) => one.remedy !== null).map((one) => `${one.name}: ${one.remedy ?? ''}\n`)
  return `${head}\n${table(['ACCELERATOR', 'PROVED', 'FOUND'], rows)}${remedies.length === 0 ? '' : `\n${remedies.join('')}`}`
}
