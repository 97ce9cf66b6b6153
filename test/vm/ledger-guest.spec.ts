import { readFile, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { BareQemu } from './support/bare-qemu'
import { assembleLedgerDisk, emptyLedgerDisk, ledgerWords, readCutLedger, readLedger } from './support/ledger-guest'
import { TemporaryFolder } from './support/temporary-folder'

const disks = (folder: TemporaryFolder): string[] =>
  ['first', 'second'].flatMap((name) => ['-drive', `if=none,id=${name},format=raw,file=${folder.in(name)}`, '-device', `ide-hd,drive=${name},bus=ide.${name === 'first' ? '0' : '1'}`])

test('the ledger guest writes its numbers to both disks, verifies them, and goes on from them', async () => {
  await using folder = await TemporaryFolder.make()
  await writeFile(folder.in('first'), assembleLedgerDisk())
  await writeFile(folder.in('second'), emptyLedgerDisk())
  const machine = ['-machine', 'q35', '-m', '16', ...disks(folder)]
  let last: number
  {
    await using qemu = await BareQemu.start(machine)
    await qemu.serial.waitFor('kept=000000.')
    qemu.serial.send('X')
    await qemu.serial.waitFor('<X>')
    await qemu.serial.waitFor('n=000020')
    qemu.serial.send('v')
    expect(ledgerWords.verdict.exec(await qemu.serial.waitFor(ledgerWords.verdict))?.[1]).toMatch(/^whole at \d{6}$/u)
    qemu.serial.send('p')
    await qemu.serial.waitFor('<p>')
    qemu.serial.send('q')
    expect(await qemu.ended).toMatchObject({ code: 0 })
    last = Number([...qemu.serial.transcript.matchAll(new RegExp(ledgerWords.written, 'gu'))].at(-1)?.[1])
  }
  for (const name of ['first', 'second']) expect(readLedger(await readFile(folder.in(name)))).toEqual({ number: last, mark: 'X' })

  // A sector that comes from another moment shows, to the test and to the guest.
  const old = await readFile(folder.in('second'))
  const torn = Buffer.from(old)
  const start = (2 + (last % 14)) * 0x10000
  torn.fill(0, start, start + 512)
  expect(() => readLedger(torn)).toThrow(`Entry ${String(last % 14)} holds 0`)
  expect(() => readCutLedger(torn, old)).toThrow(/held/u)
  expect(readCutLedger(torn).number).toBe(last)
  torn[start] = 1
  expect(() => readCutLedger(torn)).toThrow(/torn at byte/u)
  torn[start] = 0
  await writeFile(folder.in('second'), torn)
  await using qemu = await BareQemu.start(machine)
  // Typed before it boots, so that it doesn't write the sector again.
  qemu.serial.send('p')
  await qemu.serial.waitFor(`kept=${String(last).padStart(6, '0')}X`)
  await qemu.serial.waitFor('<p>')
  qemu.serial.send('v')
  await qemu.serial.waitFor('torn disk 1')
})
