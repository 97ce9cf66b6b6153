import { listenOptions, tlsCredentialsId } from '../endpoint'
import type { ArgumentList } from './argument-list'
import type { ArgvInput } from './input'
import { option, options } from './options'

/** A cage around what QEMU may do to the host, where its build has one. */
export function sandboxArguments(features: Record<string, boolean>): string[] {
  return features['sandbox'] === true ? ['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'] : []
}

/** What ties the process to its supervisor: monitor, pid file, log form, and a cage around what it may do to the host. */
export function addSupervision(list: ArgumentList, { files, endpoints, qemu }: ArgvInput): void {
  list.add('-nodefaults', '-no-user-config', '-S')
  list.add(...sandboxArguments(qemu.features))
  list.add('-pidfile', files.pid, '-msg', 'timestamp=on', '-display', 'none')
  if (files.tlsFolder !== null) list.object({ 'qom-type': 'tls-creds-psk', id: tlsCredentialsId, dir: files.tlsFolder, endpoint: 'server' })
  list.chardev(options('socket', option('id', 'sys-qmp'), ...listenOptions(endpoints.qmp)))
  list.add('-mon', 'chardev=sys-qmp,mode=control')
  if (endpoints.debugMonitor === null) return
  list.chardev(options('socket', option('id', 'sys-hmp'), ...listenOptions(endpoints.debugMonitor)))
  list.add('-mon', 'chardev=sys-hmp,mode=readline')
}
