import type { AcceleratorName, AcceleratorReport } from '@shared/model'
import type { HostFacts } from './host-facts'
import type { SelfTestResult } from './self-test'

type Reason = AcceleratorReport['reason']

/** Which accelerator belongs to which system; software emulation runs everywhere. */
const homes: Record<Exclude<AcceleratorName, 'tcg'>, { platform: NodeJS.Platform; system: string }> = {
  kvm: { platform: 'linux', system: 'Linux' },
  hvf: { platform: 'darwin', system: 'macOS' },
  whpx: { platform: 'win32', system: 'Windows' },
}

const enableHyperV = 'DISM /Online /Enable-Feature /FeatureName:HypervisorPlatform /All'

/** Best first. */
export const accelerators: readonly AcceleratorName[] = ['kvm', 'hvf', 'whpx', 'tcg']

/** The accelerator that `auto` means: hardware that is proved, else software that is proved. */
export function bestOf(reports: readonly AcceleratorReport[]): AcceleratorName | null {
  return accelerators.find((name) => reports.some((report) => report.name === name && report.works)) ?? null
}

/** What can be said without trying: null when only the self-test can tell. */
export function knownObstacle(name: AcceleratorName, builtIn: readonly string[], host: HostFacts): AcceleratorReport | null {
  const no = (reason: Reason, message: string, remedy: string | null): AcceleratorReport => ({ name, works: false, selfTestMs: null, reason, message, remedy, detail: '' })
  if (name !== 'tcg') {
    const { platform, system } = homes[name]
    if (host.platform !== platform) return no('wrong-system', `${name.toUpperCase()} belongs to ${system}.`, null)
    if (host.arch !== 'x64') return no('wrong-system', `This computer's processor (${host.arch}) can't run x86 guests by itself; they are emulated in software.`, null)
  }
  if (!builtIn.includes(name)) {
    return no('not-built-in', `This build of QEMU comes without ${name.toUpperCase()}.`, 'Install the QEMU package of your system, or another build, and choose it in the settings.')
  }
  return name === 'kvm' ? kvmObstacle(host, no) : null
}

/** Why /dev/kvm can't be used, in the order in which a person has to mend it. */
function kvmObstacle({ kvm }: HostFacts, no: (reason: Reason, message: string, remedy: string | null) => AcceleratorReport): AcceleratorReport | null {
  switch (kvm.device) {
    case 'usable':
      return null
    case 'missing':
      if (kvm.processor === null) {
        return no('disabled-in-firmware', 'The processor does not offer virtualization: it is switched off in the computer\'s firmware, or this is itself a virtual machine without it.',
          'Switch on “Intel VT-x” or “AMD-V” (also “SVM”) in the firmware set-up; in a virtual machine, switch on nested virtualization on its host.')
      }
      return kvm.moduleLoaded
        ? no('no-device', 'The KVM module is loaded, and /dev/kvm is missing.', 'In a container, pass the device in (docker run --device /dev/kvm); else: sudo udevadm trigger --name-match=kvm')
        : no('module-not-loaded', 'The processor can virtualize, and the kernel\'s KVM module is not loaded.', `sudo modprobe ${kvm.processor === 'intel' ? 'kvm_intel' : 'kvm_amd'}`)
    case 'forbidden':
      if (kvm.group !== null && kvm.groupMayUse) {
        return no('no-permission', `You may not use /dev/kvm: it is for members of the group “${kvm.group}”.`,
          kvm.inGroup ? 'You are a member already, and this session does not know yet: log out and in again.' : `sudo usermod -aG ${kvm.group} $USER    (then log out and in again)`)
      }
      return no('no-permission', `You may not use /dev/kvm: it is for its owner “${kvm.owner}” only.`, 'sudo chgrp kvm /dev/kvm && sudo chmod 660 /dev/kvm && sudo usermod -aG kvm $USER    (then log out and in again)')
  }
}

/** The report of an accelerator that was tried. */
export function judgeSelfTest(name: AcceleratorName, result: SelfTestResult, host: HostFacts): AcceleratorReport {
  const base = { name, selfTestMs: result.elapsedMs, detail: result.words }
  const label = name.toUpperCase()
  if (result.outcome === 'answered') {
    return { ...base, works: true, reason: 'ok', remedy: null, message: `The self-test guest ran and answered in ${String(result.elapsedMs)} ms.` }
  }
  const known = knownWords(name, result.words)
  if (known !== null) return { ...base, works: false, ...known }
  switch (result.outcome) {
    case 'answered-wrong':
      return { ...base, works: false, reason: 'guest-answered-wrong', message: `The self-test guest on ${label} computed wrong or crashed: this ${label} can't be trusted.`, remedy: remedyFor(name, host) }
    case 'never-answered':
      return { ...base, works: false, reason: 'guest-never-answered', message: `${label} opened, and the self-test guest never answered.`, remedy: remedyFor(name, host) }
    case 'failed-to-start':
      return { ...base, works: false, reason: 'failed-to-start', message: `QEMU ended by itself when it tried ${label}, before the self-test guest could run.`, remedy: remedyFor(name, host) }
  }
}

/** QEMU's words for what a person can mend. */
function knownWords(name: AcceleratorName, words: string): Pick<AcceleratorReport, 'reason' | 'message' | 'remedy'> | null {
  if (name === 'whpx' && /No accelerator found|Could not load library|WHvGetCapability|WHPX: Failed to (?:create|setup) partition|hr=/iu.test(words)) {
    return {
      reason: 'feature-off', message: 'The Windows Hypervisor Platform is switched off.',
      remedy: `In a terminal as administrator: ${enableHyperV}    (then restart). If that does not help, switch on virtualization in the computer's firmware.`,
    }
  }
  if (name === 'hvf' && /HV_DENIED/u.test(words)) {
    return { reason: 'no-permission', message: 'macOS does not let this QEMU use the hypervisor: the program lacks the entitlement.', remedy: 'Install QEMU from Homebrew (brew install qemu), whose program is signed for it.' }
  }
  if (name === 'hvf' && /HV_UNSUPPORTED|HV_NO_DEVICE/u.test(words)) {
    return { reason: 'disabled-in-firmware', message: 'This Mac offers no hypervisor.', remedy: 'In a virtual machine, switch on nested virtualization on its host.' }
  }
  if (name === 'kvm' && /Device or resource busy/u.test(words)) {
    return { reason: 'failed-to-start', message: 'Another hypervisor holds the processor\'s virtualization.', remedy: 'End VirtualBox, VMware and the like, then probe again.' }
  }
  return null
}

function remedyFor(name: AcceleratorName, host: HostFacts): string | null {
  switch (name) {
    case 'kvm':
      return host.inVirtualMachine
        ? 'This computer is itself a virtual machine whose host does not pass virtualization on properly; switch on nested virtualization there, or go on with software emulation.'
        : 'Update the kernel and the firmware of the computer, then probe again.'
    case 'hvf':
      return 'Update macOS and QEMU, then probe again.'
    case 'whpx':
      return `Update Windows and QEMU; check that the platform is on: ${enableHyperV}`
    case 'tcg':
      return 'Install QEMU again: its software emulation does not work, so no machine can run.'
  }
}
