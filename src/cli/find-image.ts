import { resolve } from 'node:path'
import { RingsideError } from '@shared/errors'
import type { StorageImage, StorageOverview } from '@shared/model'

/**
 * The path of the image that a person means: a path, or `machine:disk` for the disk of a machine as it is now, each by its name or the beginning of it.
 * @throws `NOT_FOUND`, which names what there is
 */
export function imagePathOf({ images }: Pick<StorageOverview, 'images'>, wanted: string): string {
  const colon = wanted.indexOf(':')
  // A Windows drive letter is no machine.
  if (colon < 2 || /[\\/]/u.test(wanted)) return resolve(wanted)
  const machine = wanted.slice(0, colon).toLocaleLowerCase()
  const disk = wanted.slice(colon + 1)
  const all = images.flatMap((image) => presentDisks(image).map((use) => ({ ...use, path: image.path })))
  const near = (exact: boolean): typeof all => all.filter(({ name, id, diskId }) => {
    const isMachine = exact ? name.toLocaleLowerCase() === machine || id === machine : name.toLocaleLowerCase().startsWith(machine) || id.startsWith(machine)
    return isMachine && (disk === '' || diskId === disk)
  })
  const found = near(true).length > 0 ? near(true) : near(false)
  const [only] = found
  if (only !== undefined && found.length === 1) return only.path
  const disks = (found.length > 0 ? found : all).slice(0, 8).map(({ name, diskId }) => `${name}:${diskId}`).join(', ')
  throw new RingsideError('NOT_FOUND', found.length > 1 ? `“${wanted}” could be ${disks}.` : `There is no machine with such a disk: “${wanted}”.`, { hint: disks === '' ? 'No machine has a disk.' : `There is ${disks}; or write the path of an image.` })
}

function presentDisks(image: StorageImage): { id: string; name: string; diskId: string }[] {
  return image.users.flatMap(({ how, direct, diskId, machineId, machineName }) => (how === 'present' && direct && diskId !== null ? [{ id: machineId, name: machineName, diskId }] : []))
}
