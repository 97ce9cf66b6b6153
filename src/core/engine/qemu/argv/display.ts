import { RingsideError } from '@shared/errors'
import type { DisplayModel } from '@shared/model'
import type { JsonObject } from '../qmp/qmp-types'
import type { ArgumentList } from './argument-list'
import type { ArgvInput } from './input'
import { option, options } from './options'
import type { PciBus } from './pci'

const passwordId = 'sys-vnc-password'

/** Enough for 3840x2160 in 32 bits; QEMU's 16 MiB end at 2560x1600. */
const videoMemoryMiB = 64

const adapters: Record<Exclude<DisplayModel, 'none'>, JsonObject & { driver: string }> = {
  'virtio-vga': { driver: 'virtio-vga' },
  'vga': { driver: 'VGA', vgamem_mb: videoMemoryMiB },
  'qxl-vga': { driver: 'qxl-vga', vgamem_mb: videoMemoryMiB },
  'bochs-display': { driver: 'bochs-display', vgamem: videoMemoryMiB * 2 ** 20 },
}

/** Displays that can have more than one screen. */
export const severalHeads: readonly DisplayModel[] = ['virtio-vga', 'qxl-vga']

/** The display adapter, and the RFB server that viewers reach it through. Without an adapter there is nothing to view. */
export function addDisplay(list: ArgumentList, pci: PciBus, { definition, endpoints }: ArgvInput): void {
  const { model, heads, resolution, acceleration3d } = definition.display
  if (model === 'none') return
  if (heads > 1 && !severalHeads.includes(model)) throw new RingsideError('INVALID_INPUT', `The display “${model}” has one screen only; the machine is to have ${String(heads)}.`, { hint: 'VirtIO and QXL displays can have several.' })
  if (acceleration3d && model !== 'virtio-vga') throw new RingsideError('INVALID_INPUT', `The display “${model}” has no 3D acceleration; the machine is to have it.`, { hint: 'VirtIO graphics can have it.' })
  const screens = heads === 1 ? {} : { max_outputs: heads }
  const size = resolution === null ? {} : { xres: resolution.width, yres: resolution.height }
  list.device({ ...adapters[model], ...(acceleration3d ? { driver: 'virtio-vga-gl' } : {}), ...screens, ...size, id: 'sys-display', ...pci.displayPlace() })
  // Draws with the graphics processor into memory, from where the server below takes it [QEMU: qemu-options.hx, -display egl-headless].
  if (acceleration3d) list.add('-display', 'egl-headless')
  // `share=ignore`: a viewer that asks for the screen alone must not throw the others out.
  // Never `websocket=on`: QEMU then listens on all interfaces, without a password.
  const { graphics } = endpoints
  switch (graphics.kind) {
    case 'unix':
      list.add('-vnc', options(option('vnc', `unix:${graphics.path}`), 'share=ignore'))
      return
    case 'tcp':
      list.object({ 'qom-type': 'secret', id: passwordId, file: graphics.passwordFile })
      list.add('-vnc', options('vnc=127.0.0.1:0', 'to=999', option('password-secret', passwordId), 'share=ignore'))
      return
  }
}
