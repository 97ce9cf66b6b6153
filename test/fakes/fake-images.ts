import type { Images, JobReporter } from '@core/app/services'
import type { KnownImage } from '@core/images/catalogue'
import { titleOf, targetOf } from '@core/images/plan'
import { obstaclesOf, whyNot } from '@core/images/rules'
import { RingsideError } from '@shared/errors'
import { checksumNote, type DiskWork, type DiskWorkPlan, isLive, type ImageUser, type MachineView, type StorageImage, type StorageOverview } from '@shared/model'
import { passphraseNeeded } from '@core/storage/image-faults'
import { fakePassphrase } from './fake-encryption'
import { fakeCloneIds } from './fake-snapshot-data'
import { fakeIds } from './fake-data'

const GiB = 2 ** 30
/** An image from elsewhere that is encrypted with `fakePassphrase`. */
export const fakeForeignImage = '/home/ada/Downloads/encrypted.qcow2'
const imagesFolder = '/home/ada/.local/share/Ringside/images'

/** The disks of the fake host's machines, and images beside them. Work is pretended; sizes, checks and files change as they would. */
export function createFakeImages(machines: () => readonly MachineView[], orphans: () => StorageOverview['orphans'], set: (id: string, change: Partial<MachineView>) => void, pause: (ms: number) => Promise<void>): Images {
  const changed = new Map<string, Partial<Pick<KnownImage, 'virtualBytes' | 'bytes' | 'format' | 'encrypted'>>>()
  const checks = new Map<string, StorageImage['check']>([[`${imagesFolder}/debian-12-cloud.qcow2`, { at: '2026-11-20T09:00:00.000Z', result: 'sound', changedSince: false }]])
  const gone = new Set<string>()
  const foreign = imageOf(fakeForeignImage, { encrypted: true, virtualBytes: 8 * GiB, bytes: 1.5 * GiB })
  const loose = new Map<string, KnownImage>()
  const add = (path: string, facts: Partial<KnownImage>): void => { loose.set(path, imageOf(path, facts)) }
  add(`${imagesFolder}/debian-12-cloud.qcow2`, { virtualBytes: 2 * GiB, bytes: 0.4 * GiB })
  add(`${imagesFolder}/a-very-long-name-of-an-appliance-that-somebody-exported-years-ago-and-never-renamed-final-2.vmdk`, { format: 'vmdk', virtualBytes: 40 * GiB, bytes: 11 * GiB })
  add(`${imagesFolder}/overlay.qcow2`, { virtualBytes: 20 * GiB, bytes: 0.2 * GiB, fault: 'is based on a file outside the library, which is only read where you bring it in and accept that file' })
  add(`${imagesFolder}/damaged.qcow2`, { virtualBytes: 8 * GiB, bytes: 1.5 * GiB, fault: 'is marked as corrupt' })

  function images(): Map<string, KnownImage> {
    const all = new Map(loose)
    for (const machine of machines()) {
      for (const disk of machine.definition.disks) {
        const path = disk.image.kind === 'own' ? `${machine.folder}/${disk.image.path}` : disk.image.path
        const owner = disk.image.kind === 'own' ? { id: machine.id, name: machine.definition.name, folder: machine.folder } : null
        const user: ImageUser = { machineId: machine.id, machineName: machine.definition.name, state: machine.state, how: 'present', snapshotName: null, diskId: disk.id, direct: true }
        const layered = machine.id === fakeIds.running && disk.id === 'disk0'
        const base = `${machine.folder}/disks/disk0.5a10c001.qcow2`
        const size = { virtualBytes: (machine.id === fakeIds.stopped ? 64 : 20) * GiB, bytes: (machine.id === fakeIds.stopped ? 21.4 : 2.3) * GiB }
        if (layered) {
          const snapshot = (snapshotName: string, direct: boolean): ImageUser => ({ ...user, how: 'snapshot', snapshotName, direct })
          const middle = `${machine.folder}/disks/disk0.5a20d110.qcow2`
          all.set(base, imageOf(base, { owner, ...size, readers: [middle], users: [snapshot('Installed', true), snapshot('Configured', false), { ...user, direct: false }] }))
          all.set(middle, imageOf(middle, { owner, ...size, bytes: 0.6 * GiB, below: base, readers: [path], users: [snapshot('Configured', true), { ...user, direct: false }, { ...user, machineId: fakeCloneIds.snapshotClone, machineName: 'staging', state: 'stopped', direct: false }] }))
        }
        const below = layered ? `${machine.folder}/disks/disk0.5a20d110.qcow2` : null
        all.set(path, imageOf(path, { owner, ...size, format: disk.format, encrypted: disk.encrypted, below, users: [user], plugs: [{ machine, disk }] }))
      }
    }
    for (const path of gone) all.delete(path)
    for (const [path, change] of changed) {
      const image = all.get(path)
      if (image !== undefined) all.set(path, { ...image, ...change })
    }
    return all
  }

  function faults(work: DiskWork): RingsideError[] {
    const target = targetOf(work)
    const known = images()
    const found: RingsideError[] = []
    if (target !== null && known.has(target)) found.push(new RingsideError('FILE_EXISTS', `There is a file of that name already: ${target}`, { path: target, hint: 'Choose another name, or move the file away.' }))
    if (work.kind === 'create') return found
    const image = known.get(work.path) ?? (work.path === foreign.path ? foreign : undefined)
    if (image === foreign && !(work.kind === 'convert' && work.encryption !== undefined)) return [...found, passphraseNeeded(work.path)]
    if (image === undefined) return [...found, new RingsideError('FILE_NOT_FOUND', `There is no such file: ${work.path}`, { path: work.path, hint: 'Check the path.' })]
    const why = whyNot(work.kind, image)
    if (why !== null) found.push(new RingsideError(image.users.some(({ state }) => isLive(state)) ? 'DISK_IN_USE' : 'ILLEGAL_STATE', `${titleOf(work)} is not possible. ${why}`, { path: work.path }))
    const now = image.virtualBytes ?? 0
    if ((work.kind === 'grow' && work.sizeBytes <= now) || (work.kind === 'shrink' && work.sizeBytes >= now)) {
      const message = `The disk has ${String(now / GiB)} GiB now; say a ${work.kind === 'grow' ? 'larger' : 'smaller'} size.`
      found.push(new RingsideError('INVALID_INPUT', message, { issues: [{ path: 'sizeBytes', message, received: String(work.sizeBytes), severity: 'error' }] }))
    }
    return found
  }

  async function carryOut(work: DiskWork, reporter: JobReporter): Promise<void> {
    const image = images().get(work.path) ?? (work.path === foreign.path ? foreign : undefined)
    const bytes = image?.bytes ?? 0
    for (let part = 0; part < 10; part += 1) {
      reporter.report(part / 10, `${titleOf(work)}`)
      await pause(250)
      if (reporter.signal.aborted) throw new RingsideError('CANCELLED', 'The work on the disk image was cancelled.')
    }
    const note = (sentence: string): void => { reporter.note?.(sentence) }
    switch (work.kind) {
      case 'create':
        add(work.path, { format: work.format, virtualBytes: work.sizeBytes, bytes: work.preallocated ? work.sizeBytes : 196_608 })
        return
      case 'convert':
      case 'copy':
        add(work.to, { format: work.kind === 'convert' ? work.format : (image?.format ?? 'qcow2'), virtualBytes: image?.virtualBytes ?? 0, bytes, encrypted: image === foreign && work.kind === 'convert' && work.encryption?.keep === true })
        return
      case 'grow':
      case 'shrink':
        changed.set(work.path, { ...changed.get(work.path), virtualBytes: work.sizeBytes })
        return
      case 'move': {
        const to = work.to ?? work.path
        if (image !== undefined) add(to, { ...image, owner: null })
        note(`The disk is there now: ${to}`)
        return
      }
      case 'compact':
        changed.set(work.path, { ...changed.get(work.path), bytes: bytes / 2 })
        note('1.2 GiB were given back.')
        return
      case 'encrypt':
      case 'decrypt':
        changed.set(work.path, { ...changed.get(work.path), encrypted: work.kind === 'encrypt' })
        note(work.kind === 'encrypt' ? 'The trash holds the old file, with everything in it unencrypted. Empty it once the machine has started well.' : 'The disk is not encrypted any more.')
        return
      case 'repair':
      case 'check': {
        const result = work.kind === 'check' && image?.fault != null ? 'damaged' : 'sound'
        checks.set(work.path, { at: new Date().toISOString(), result, changedSince: false })
        note(result === 'sound' ? 'It is sound.' : 'It is damaged: 3 errors in its tables. Take it from a backup, or have it repaired; a copy is kept.')
        return
      }
      case 'checksum':
        note(checksumNote('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'))
        return
      case 'delete':
        loose.delete(work.path)
        gone.add(work.path)
    }
  }

  const added: string[] = []
  const throwFirst = (work: DiskWork): void => {
    const [fault] = faults(work)
    if (fault !== undefined) throw fault
  }
  const machineOf = (work: DiskWork): string | null => images().get(work.path)?.owner?.id ?? null
  return {
    overview() {
      const all = [...images().values()].map((image): StorageImage => {
        const { path, owner, format, virtualBytes, bytes, below, readers, users, fault } = image
        return {
          path, name: path.slice(path.lastIndexOf('/') + 1), owner: owner && { id: owner.id, name: owner.name }, format, encrypted: image.encrypted, virtualBytes, actualBytes: bytes, below, readers: [...readers], users: [...users], fault,
          check: checks.get(path) ?? null, obstacles: obstaclesOf(image),
        }
      })
      const sum = (within: string): number => all.filter(({ path }) => path.startsWith(within)).reduce((bytes, { actualBytes }) => bytes + actualBytes, 0)
      const drive = { capacityBytes: 476 * GiB, freeBytes: 212 * GiB, fault: null, removable: false }
      return Promise.resolve({
        places: [
          { kind: 'library', path: '/home/ada/.local/share/Ringside/library', ...drive, imageBytes: sum('/home/ada/.local/share/Ringside/library/') },
          { kind: 'images', path: imagesFolder, ...drive, imageBytes: sum(imagesFolder) },
          ...added.map((path) => ({ kind: 'added' as const, path, removable: true, capacityBytes: null, freeBytes: null, imageBytes: 0, fault: 'It is not there now. If it is on a drive that can be taken out or on the network, connect that.' })),
          { kind: 'elsewhere', path: '/mnt/old virtual machines', removable: false, capacityBytes: 64 * GiB, freeBytes: 3.1 * GiB, imageBytes: all.filter(({ owner, path }) => owner === null && !path.startsWith(imagesFolder)).reduce((bytes, { actualBytes }) => bytes + actualBytes, 0), fault: null },
        ],
        images: all, orphans: orphans(),
      })
    },
    addPlace(path) {
      if (added.includes(path)) throw new RingsideError('FILE_EXISTS', `The folder is listed already: ${path}`, { path })
      added.push(path)
      return this.overview()
    },
    forgetPlace(path) {
      if (!added.includes(path)) throw new RingsideError('FILE_NOT_FOUND', `This folder was not added to the list: ${path}`, { path })
      added.splice(added.indexOf(path), 1)
      return this.overview()
    },
    plan(work): Promise<DiskWorkPlan> {
      const issues = faults(work).map(({ message, code, data }) => ({ path: '', message: [message, data.hint].filter(Boolean).join(' '), severity: 'error' as const, code }))
      const needed = work.kind === 'create' && work.preallocated ? work.sizeBytes : work.kind === 'convert' || work.kind === 'copy' || work.kind === 'move' || work.kind === 'compact' ? (images().get(work.path)?.bytes ?? 0) : 0
      return Promise.resolve({ title: titleOf(work), steps: [`${titleOf(work)}, as it would be done.`, 'Cancelled or cut off, the image is as it was.'], neededBytes: needed, freeBytes: 212 * GiB, issues })
    },
    async smallestSize(path) {
      await pause(800)
      const [fault] = faults({ kind: 'shrink', path, sizeBytes: 512 })
      return fault === undefined ? { sizeBytes: Math.ceil(((images().get(path)?.virtualBytes ?? 0) * 0.3) / 512) * 512, why: 'Its partitions reach as far as that.' } : { sizeBytes: null, why: fault.message }
    },
    // eslint-disable-next-line @typescript-eslint/require-await
    async requirePossible(work) {
      throwFirst(work)
      if (work.kind === 'convert' && work.encryption !== undefined && work.encryption.passphrase !== fakePassphrase) throw new RingsideError('KEY_WRONG', `This is not the passphrase of the image: ${work.path}`, { path: work.path, hint: 'Check Caps Lock and the keyboard layout, then try again.' })
      return { machineId: machineOf(work) }
    },
    async work(work, reporter) {
      throwFirst(work)
      const id = machineOf(work)
      if (id !== null) set(id, { task: 'diskWork' })
      try {
        await carryOut(work, reporter)
      } finally {
        if (id !== null) set(id, { task: null })
      }
    },
  }
}

function imageOf(path: string, facts: Partial<KnownImage>): KnownImage {
  return { path, owner: null, format: 'qcow2', virtualBytes: null, bytes: 0, below: null, readers: [], users: [], plugs: [], encrypted: false, internalSnapshots: 0, snapshotBelow: null, fault: null, ...facts }
}
