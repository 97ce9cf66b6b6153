import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { event, FakeQmp } from './fake-qmp.fixture'
import { GuestHold, leavePostmigrate, readMark } from './guest-hold'

let folder: string
beforeAll(async () => { folder = await mkdtemp(join(tmpdir(), 'rs-hold-')) })
afterAll(() => rm(folder, { recursive: true, force: true }))

const markIn = (name: string): string => join(folder, name)

test('the pause is from QEMU’s stop to its go, and what comes after is not ours', async () => {
  const qmp = new FakeQmp()
  const hold = new GuestHold(qmp.client, false, markIn('pause'))
  await hold.begin()
  await hold.stop()
  expect(hold.owns(event('STOP', 5_000_100))).toBe(true)
  expect(hold.pauseMs).toBeNull()
  await hold.resume()
  expect(hold.owns(event('RESUME', 5_000_104.5))).toBe(true)
  expect(hold.pauseMs).toBeCloseTo(4.5, 3)
  expect(hold.owns(event('STOP', 5_000_200))).toBe(false)
  expect(qmp.commands()).toEqual(['stop', 'cont'])
})

test('a guest that QEMU has let go by itself is not told to go on, so that one which stopped again stays so', async () => {
  const qmp = new FakeQmp()
  const hold = new GuestHold(qmp.client, false, markIn('itself'))
  hold.owns(event('STOP', 1000))
  hold.owns(event('RESUME', 1001))
  await hold.resume()
  expect(qmp.commands()).toEqual([])
})

test('a guest that was paused is left so: out of the state after a migration in one breath, and nobody hears of it', async () => {
  const qmp = new FakeQmp({ 'query-status': () => ({ status: 'postmigrate', running: false }) })
  const hold = new GuestHold(qmp.client, true, markIn('paused'))
  await hold.begin(true)
  expect(await readMark(markIn('paused'))).toBeNull()
  await hold.stop()
  await hold.resume()
  expect(qmp.commands()).toEqual(['query-status', 'cont', 'stop'])
  expect([event('RESUME', 1), event('STOP', 2)].map((each) => hold.owns(each))).toEqual([true, true])
  expect(hold.pauseMs).toBeNull()
})

test('one that is merely paused stays as it is', async () => {
  const qmp = new FakeQmp({ 'query-status': () => ({ status: 'paused', running: false }) })
  await leavePostmigrate(qmp.client)
  expect(qmp.commands()).toEqual(['query-status'])
})

test('the mark is there while the guest is held, says whether its file systems are, and goes with it', async () => {
  const hold = new GuestHold(new FakeQmp().client, false, markIn('mark'))
  expect(await readMark(markIn('mark'))).toBeNull()
  await hold.begin()
  expect(await readMark(markIn('mark'))).toEqual({ freezes: false })
  await hold.begin(true)
  expect(await readMark(markIn('mark'))).toEqual({ freezes: true })
  await hold.end()
  expect(await readdir(folder)).not.toContain('mark')
})
