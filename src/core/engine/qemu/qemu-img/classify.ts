import { RingsideError, type ErrorCode, type ProcessFailure } from '@shared/errors'

/** qemu-img's wordings; the first that fits wins. */
const rules: readonly { pattern: RegExp; code: ErrorCode; message: string; hint: string }[] = [
  { pattern: /Invalid password, cannot unlock any keyslot/u, code: 'KEY_WRONG', message: 'The machine’s disk key does not open the image', hint: 'It was encrypted with another key. Put back the image and the file encryption.json that belong together.' },
  { pattern: /No space left on device|Disk quota exceeded|not enough space/iu, code: 'DISK_FULL', message: 'The disk became full', hint: 'Free some space, then try again; what was written so far has been removed.' },
  { pattern: /Failed to get (?:shared )?"[^"]+" lock/u, code: 'DISK_IN_USE', message: 'The image is in use by another program', hint: 'Shut down the machine that uses it, then try again.' },
  { pattern: /No such file or directory/u, code: 'FILE_NOT_FOUND', message: 'The image, or a file that it needs, is missing', hint: 'Put the file back in its place.' },
  { pattern: /Permission denied|Operation not permitted/u, code: 'FILE_UNREADABLE', message: 'The image may not be read or written', hint: 'Change the permissions of the file and its folder.' },
  {
    pattern: /not in (?:qcow2|vhdx) format|Could not read (?:qcow2|image)|[Ii]mage is (?:corrupt|not in|truncated|too)|L1 table|refcount table|Could not open '[^']*': (?:Invalid argument|.*(?:VMDK|VDI|VHDX|header|footer))|Input\/output error|File truncated|points after (?:the )?end of|error while reading at byte \d+: Invalid argument|invalid (?:VMDK|footer)/u,
    code: 'IMAGE_DAMAGED', message: 'The image is damaged or not of the format that was said', hint: 'Copy or download it again, or take it from a backup.',
  },
]

/** A typed error from what qemu-img said. */
export function classifyImageFailure(failure: ProcessFailure, path: string): RingsideError {
  const last = (failure.stderrTail.split('\n').at(-1) ?? '').replace(/^qemu-img: /u, '')
  const rule = rules.find(({ pattern }) => pattern.test(failure.stderrTail))
  const reason = last === '' ? `exit code ${String(failure.exitCode ?? failure.signal)}` : last
  if (rule === undefined) return new RingsideError('QEMU_FAILED', `qemu-img failed (${reason}): ${path}`, { path, process: failure })
  return new RingsideError(rule.code, `${rule.message}: ${path}`, { path, hint: rule.hint, process: failure })
}
