import { expect, test } from 'vitest'
import type { ProcessFailure } from '@shared/errors'
import { classifyFailure, howItEnded } from './classify-failure'

const failure = (stderrTail: string, changes: Partial<ProcessFailure> = {}): ProcessFailure => ({ command: 'qemu', argv: [], exitCode: 1, signal: null, stderrTail, ...changes })
const context = { machine: 'Debian', accelerator: 'kvm' as const, restores: false }

test.each([
  ['qemu-system-x86_64: -blockdev {"driver":"file"}: Failed to get "write" lock\nIs another process using the image [/vm/a b.img]?', 'DISK_IN_USE', '/vm/a b.img'],
  ['qemu-system-x86_64: -device x: Failed to get shared "write" lock\nIs another process using the image [/vm/x]?', 'DISK_IN_USE', '/vm/x'],
  ['Could not access KVM kernel module: Permission denied\nqemu-system-x86_64: failed to initialize kvm: Permission denied', 'ACCELERATOR_UNAVAILABLE', undefined],
  ['qemu-system-x86_64: -accel whpx: WHPX: No accelerator found, hr=00000000', 'ACCELERATOR_UNAVAILABLE', undefined],
  ['qemu-system-x86_64: Error: HV_DENIED', 'ACCELERATOR_UNAVAILABLE', undefined],
  ['kvm.c:3183: kvm_buf_set_msrs: Assertion `ret == cpu->kvm_msr_buf->nmsrs\' failed.', 'ACCELERATOR_UNAVAILABLE', undefined],
  ['qemu-system-x86_64: cannot set up guest memory \'pc.ram\': Cannot allocate memory', 'QEMU_FAILED', undefined],
  ['qemu-system-x86_64: -vnc: Failed to bind socket: Address already in use', 'PORT_IN_USE', undefined],
  ['qemu-system-x86_64: -blockdev {}: Could not open \'/vm/gone.img\': No such file or directory', 'FILE_NOT_FOUND', '/vm/gone.img'],
  ['qemu-system-x86_64: -blockdev {}: Could not open \'/vm/x.img\': Permission denied', 'FILE_UNREADABLE', '/vm/x.img'],
  ['qemu-system-x86_64: -blockdev {"filename":"/vm/x.qcow2"}: Image is not in qcow2 format', 'IMAGE_DAMAGED', '/vm/x.qcow2'],
  ['qemu-system-x86_64: failed to find romfile "efi-virtio.rom"', 'QEMU_FAILED', undefined],
  ['qemu-system-x86_64: egl: no drm render node available\nqemu-system-x86_64: egl: render node init failed', 'CAPABILITY_MISSING', undefined],
  ['qemu: invalid kernel header', 'IMAGE_UNSUPPORTED', undefined],
  ['qemu-system-x86_64: write: No space left on device', 'DISK_FULL', undefined],
  ['qemu-system-x86_64: load of migration failed: Invalid argument', 'QEMU_FAILED', undefined],
])('“%s”', (words, code, path) => {
  const error = classifyFailure(failure(words), context)
  expect(error.code).toBe(code)
  expect(error.data.path).toBe(path)
  expect(error.data.hint).toBeDefined()
  expect(error.data.process?.stderrTail).toBe(words)
  expect(error.message).not.toBe('')
})

test('words that nobody knows are passed on, with how the process ended', () => {
  const error = classifyFailure(failure('first\nqemu-system-x86_64: something new'), context)
  expect(error).toMatchObject({ code: 'QEMU_FAILED', message: 'Debian: QEMU ended with exit code 1. Its last words: something new' })
})

test('an accelerator is not blamed under software emulation', () => {
  expect(classifyFailure(failure('KVM is not supported'), { ...context, accelerator: 'tcg' }).code).toBe('QEMU_FAILED')
})

test('how a process ended, in words', () => {
  expect(howItEnded(failure('', { exitCode: null, signal: 'SIGKILL' }))).toBe('QEMU was ended by SIGKILL.')
  expect(howItEnded(failure('', { exitCode: null }))).toBe('QEMU ended without a trace of why.')
})

test('a QEMU that crashes while it goes on from memory has memory that can’t be loaded', () => {
  const crashed = { ...failure('qemu-system-x86_64: something odd'), exitCode: null, signal: 'SIGSEGV' }
  expect(classifyFailure(crashed, { ...context, restores: true }).message).toContain('saved state can\'t be loaded')
  expect(classifyFailure(crashed, context).message).toContain('SIGSEGV')
})
