import { expect, test } from 'vitest'
import { splitRemedy } from './remedy'

const commandsOf = (text: string): string[] => splitRemedy(text).filter((part) => part.code).map((part) => part.text)

test('commands in backticks are told from the words around them', () => {
  expect(splitRemedy('Run `sudo modprobe kvm`, then check again.')).toEqual([
    { text: 'Run ', code: false }, { text: 'sudo modprobe kvm', code: true }, { text: ', then check again.', code: false },
  ])
})

test('commands are recognised without backticks, without what is said about them', () => {
  expect(commandsOf('sudo usermod -aG kvm $USER    (then log out and in again)')).toEqual(['sudo usermod -aG kvm $USER'])
  expect(commandsOf('Install QEMU: sudo apt install qemu-system-x86 qemu-utils    (Fedora: sudo dnf install qemu-img; Arch: sudo pacman -S qemu-desktop)')).toEqual([
    'sudo apt install qemu-system-x86 qemu-utils', 'sudo dnf install qemu-img', 'sudo pacman -S qemu-desktop',
  ])
  expect(commandsOf('Install QEMU from Homebrew (brew install qemu), whose program is signed for it.')).toEqual(['brew install qemu'])
})

test('advice without a command stays a sentence, and nothing is lost of any', () => {
  expect(commandsOf('Switch on “Intel VT-x” in the firmware set-up.')).toEqual([])
  const text = 'In a container, pass the device in (docker run --device /dev/kvm); else: sudo udevadm trigger --name-match=kvm'
  expect(splitRemedy(text).map((part) => part.text).join('')).toBe(text)
})
