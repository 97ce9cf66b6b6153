import { isIP } from 'node:net'
import { z } from 'zod'
import { isRingsideError } from '@shared/errors'
import type { GuestAbility, GuestFileSystem, GuestInfo, GuestInterface, GuestOs, GuestPart, GuestUser } from '@shared/model'
import type { AgentLine } from './agent-line'
import { cleanText } from './clean-text'
import { understood } from './guest-agent'

/** The longest that one answer may take, milliseconds: file systems of a network can hang. */
const limitMs = 5_000
/** The longest that one answer may be. A guest can have many interfaces, each with many figures. */
const answerBytes = 2 ** 20
/** What is shown of lists, and of texts. */
const most = { interfaces: 64, addresses: 32, fileSystems: 128, users: 128, text: 200, path: 1024 } as const

/*
 * What the agent answers [QEMU: qga/qapi-schema.json]. Only what is used here, and only as much of it as is shown.
 */
const text = z.string().transform((value) => cleanText(value, most.text))
const Version = z.object({ version: text, supported_commands: z.array(z.object({ name: z.string(), enabled: z.boolean() })).max(1000) })
const OsInfo = z.object({
  id: z.string().optional(), name: text.optional(), 'pretty-name': text.optional(), version: text.optional(), 'version-id': text.optional(), 'kernel-release': text.optional(), machine: text.optional(),
})
const HostName = z.object({ 'host-name': text })
const Interfaces = z.array(z.object({
  name: text,
  'hardware-address': text.optional(),
  'ip-addresses': z.array(z.object({ 'ip-address': z.string().max(64), 'ip-address-type': z.enum(['ipv4', 'ipv6']), prefix: z.int().min(0).max(128) })).optional(),
}))
const FileSystems = z.array(z.object({
  mountpoint: z.string().transform((value) => cleanText(value, most.path)), type: text, 'used-bytes': z.number().min(0).optional(), 'total-bytes': z.number().min(0).optional(),
}))
const Users = z.array(z.object({ user: text, domain: text.optional(), 'login-time': z.number() }))
const TimeZone = z.object({ zone: text.optional(), offset: z.int().min(-86_400).max(86_400) })

interface Question<T> {
  part: GuestPart
  command: string
  read: (answer: unknown) => T
}

/** What the guest tells of itself. Throws `CAPABILITY_MISSING` when no agent answers; what it does not tell is null, with the reason. */
export async function readGuestInfo(line: AgentLine): Promise<GuestInfo> {
  const { version, supported_commands: commands } = understood(Version, await line.ask('guest-info', {}, { limitMs, answerBytes }))
  const unknown: Partial<Record<GuestPart, string>> = {}
  const refusal = (command: string): string | null => {
    const known = commands.find(({ name }) => name === command)
    if (known === undefined) return `The guest agent (${version}) has no command “${command}”.`
    return known.enabled ? null : `The settings of the guest agent do not allow “${command}”.`
  }
  // An agent that hangs in one command answers no other.
  let hanging: string | null = null
  const ask = async <T>({ part, command, read }: Question<T>): Promise<T | null> => {
    const why = hanging ?? refusal(command)
    if (why === null) {
      try {
        return read(await line.ask(command, {}, { limitMs, answerBytes }))
      } catch (error) {
        if (!isRingsideError(error) || error.code === 'QEMU_FAILED') throw error
        if (error.code === 'TIMED_OUT') hanging = error.message
        unknown[part] = error.message
        return null
      }
    }
    unknown[part] = why
    return null
  }
  const os = await ask({ part: 'os', command: 'guest-get-osinfo', read: readOs })
  const hostName = await ask({ part: 'hostName', command: 'guest-get-host-name', read: (answer) => understood(HostName, answer)['host-name'] })
  const interfaces = await ask({ part: 'interfaces', command: 'guest-network-get-interfaces', read: readInterfaces })
  const users = await ask({ part: 'users', command: 'guest-get-users', read: readUsers })
  const timeZone = await ask({ part: 'timeZone', command: 'guest-get-timezone', read: readTimeZone })
  const fileSystems = await ask({ part: 'fileSystems', command: 'guest-get-fsinfo', read: readFileSystems })
  const needs: Record<GuestAbility, string[]> = {
    run: ['guest-exec', 'guest-exec-status'],
    setPassword: ['guest-set-user-password'],
    // A file gets its name, or is removed, by a program of the guest: the agent has no commands for that.
    copy: ['guest-file-open', 'guest-file-read', 'guest-file-write', 'guest-file-close', 'guest-file-flush', 'guest-file-seek', 'guest-exec', 'guest-exec-status'],
  }
  const cannot = Object.fromEntries(
    Object.entries(needs).flatMap(([ability, wanted]) => {
      const why = wanted.map(refusal).find((one) => one !== null)
      return why === undefined ? [] : [[ability, why]]
    }),
  )
  return { agentVersion: version, os, hostName, interfaces, users, timeZone, fileSystems, unknown, cannot }
}

/** Whether programs are called as on Windows. */
export async function isWindows(line: AgentLine): Promise<boolean> {
  try {
    return understood(OsInfo, await line.ask('guest-get-osinfo', {}, { limitMs, answerBytes })).id === 'mswindows'
  } catch (error) {
    if (isRingsideError(error, 'CAPABILITY_MISSING')) return false
    throw error
  }
}

function readOs(answer: unknown): GuestOs {
  const os = understood(OsInfo, answer)
  return {
    family: familyOf(os.id ?? '', os.name ?? ''),
    name: os['pretty-name'] ?? os.name ?? 'Unknown system',
    version: os['version-id'] ?? os.version ?? null,
    kernel: os['kernel-release'] ?? null,
    architecture: os.machine ?? null,
  }
}

function familyOf(id: string, name: string): GuestOs['family'] {
  if (id === 'mswindows') return 'windows'
  if (/bsd|dragonfly/iu.test(`${id} ${name}`)) return 'bsd'
  // Only Linux has an os-release file with an id of its own; the agent of others makes one up.
  return id === '' ? 'other' : 'linux'
}

function readInterfaces(answer: unknown): GuestInterface[] {
  return understood(Interfaces, answer).slice(0, most.interfaces).map((one) => ({
    name: one.name,
    macAddress: one['hardware-address'] ?? null,
    addresses: (one['ip-addresses'] ?? [])
      .filter((address) => isIP(address['ip-address']) === (address['ip-address-type'] === 'ipv4' ? 4 : 6))
      .slice(0, most.addresses)
      .map((address) => ({ address: address['ip-address'], prefix: address.prefix, family: address['ip-address-type'] })),
  }))
}

function readFileSystems(answer: unknown): GuestFileSystem[] {
  return understood(FileSystems, answer).slice(0, most.fileSystems)
    .map((one): GuestFileSystem => {
      const used = one['used-bytes'] ?? null
      const total = one['total-bytes'] ?? null
      const isSound = used !== null && total !== null && total > 0 && used <= total
      return { mountPoint: one.mountpoint, type: one.type, usedBytes: isSound ? used : null, totalBytes: isSound ? total : null }
    })
    .sort((a, b) => (a.mountPoint < b.mountPoint ? -1 : 1))
}

function readUsers(answer: unknown): GuestUser[] {
  return understood(Users, answer).slice(0, most.users).map((one) => {
    const since = new Date(one['login-time'] * 1000)
    return { name: one.user, domain: one.domain ?? null, since: since.getTime() > 0 && since.getTime() < 2 ** 43 ? since.toISOString() : null }
  })
}

function readTimeZone(answer: unknown): { name: string | null; offsetSeconds: number } {
  const { zone, offset } = understood(TimeZone, answer)
  return { name: zone ?? null, offsetSeconds: offset }
}
