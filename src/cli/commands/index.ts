import type { Register } from '../cli'
import { registerBackup } from './backup'
import { registerClone, registerClones, registerDetach } from './clone'
import { registerConsole } from './console'
import { registerCreate, registerSample } from './create'
import { registerDelete } from './delete'
import { registerDisk } from './disk'
import { registerEncryption } from './encryption'
import { registerGuest } from './guest'
import { registerHardware } from './hardware'
import { registerInfo, registerLog, registerScreenshot } from './info'
import { registerLifecycle } from './lifecycle'
import { registerLink } from './link'
import { registerList } from './list'
import { registerProbe } from './probe'
import { registerSnapshot } from './snapshot'
import { registerTemplate } from './template'

/** Every command that talks to a host, in the order of the help. */
export const commands: readonly Register[] = [
  registerList, registerInfo, registerCreate, registerSample, registerLifecycle, registerConsole, registerScreenshot, registerLog, registerSnapshot, registerBackup, registerHardware, registerDisk, registerEncryption, registerGuest,
  registerClone, registerClones, registerTemplate, registerDetach, registerDelete, registerProbe, registerLink,
]
