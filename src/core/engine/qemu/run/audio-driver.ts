import { spawn } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { Duplex } from 'node:stream'
import type { MachineDefinition, QemuReport } from '@shared/model'
import { sandboxArguments } from '../argv'
import { QmpClient } from '../qmp'

/** Ways to the host's sound, best first. */
const candidates: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  linux: ['pipewire', 'pa', 'alsa'],
  darwin: ['coreaudio'],
  win32: ['dsound'],
}

const patienceMs = 5_000

/**
 * The best way to the host's sound that works now: QEMU is started with each that it has, caged as the machine will be, since a sound server can be missing and one that QEMU would have
 * to start itself is more than its cage lets it do. Asked at every start, as sound servers come and go with the session. `none` where none works, or the machine has no sound card.
 * `RINGSIDE_AUDIO` names another one that QEMU has, such as `jack`; it is not tried beforehand.
 */
export async function chooseAudioDriver({ sound }: Pick<MachineDefinition, 'sound'>, qemu: Pick<QemuReport, 'systemPath' | 'audioDrivers' | 'features'>, platform: NodeJS.Platform = process.platform, environment: NodeJS.ProcessEnv = process.env): Promise<string> {
  if (sound === null) return 'none'
  const asked = environment['RINGSIDE_AUDIO']
  if (asked !== undefined && qemu.audioDrivers?.includes(asked) === true) return asked
  for (const driver of candidates[platform] ?? []) {
    if (qemu.audioDrivers?.includes(driver) === true && (driver !== 'alsa' || (await hasSoundCard())) && (await works(qemu, driver))) return driver
  }
  return 'none'
}

/** ALSA says that there is no card only when a machine's own card opens it, and then fills QEMU's log. Its nodes for playback end with a `p` [Linux: sound/designs/procfile.rst]. */
async function hasSoundCard(): Promise<boolean> {
  return (await readdir('/dev/snd').catch(() => [])).some((name) => /^pcmC\d+D\d+p$/u.test(name))
}

/** QEMU before 8 goes on with a sound that nobody hears, and says so; later ones end. */
async function works({ systemPath, features }: Pick<QemuReport, 'systemPath' | 'features'>, driver: string): Promise<boolean> {
  const argv = ['-machine', 'none', '-nodefaults', '-no-user-config', '-S', '-display', 'none', ...sandboxArguments(features), '-audiodev', `driver=${driver},id=proof`, '-qmp', 'stdio']
  const child = spawn(systemPath, argv, { stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true })
  let words = ''
  child.stderr.on('data', (chunk: Buffer) => { words = (words + chunk.toString('utf8')).slice(-4096) })
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => { resolve() })
    child.once('close', () => { resolve() })
  })
  try {
    const qmp = await QmpClient.connect(Duplex.from({ readable: child.stdout, writable: child.stdin }), { timeoutMs: patienceMs })
    await qmp.quit()
    await ended
    return !/timer based audio|could not init|failed|refused/iu.test(words)
  } catch {
    return false
  } finally {
    child.kill('SIGKILL')
    await ended
  }
}
