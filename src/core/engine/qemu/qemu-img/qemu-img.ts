import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { z } from 'zod'
import { isRingsideError, RingsideError, type ProcessFailure } from '@shared/errors'
import type { DiskFormat } from '@shared/model'
import type { ConvertRequest, ImageTool, ImageToolInfo } from '../../../storage/image-tool'
import { isMark } from '../../engine'
import { lastLines } from '../process/qemu-log'
import { classifyImageFailure } from './classify'
import type { JsonObject } from '../qmp/qmp-types'
import { diskKeyId } from '../argv/node-names'
import { handOver, type HandedSecret } from '../process/hand-over'
import { type ChainImage, chainSpec, encryptedChain, foreignSpec, singleSpec } from './encrypted-chain'
import { writeEncryptedOverlay } from './encrypted-overlay'
import { ProgressReader } from './progress'
import { streamOffline } from './stream-offline'

/** What `qemu-img check` found. */
export interface ImageCheck {
  /** Data is wrong or lost. */
  corruptions: number
  /** Space is lost, and data is not. */
  leaks: number
}

/** Bytes that a conversion would need. */
export interface ImageMeasure { requiredBytes: number; fullyAllocatedBytes: number }

/** An empty qcow2 that reads as what lies below it. */
export interface OverlayRequest {
  /** Where it is made; nothing may be there. Absolute. */
  path: string
  /** What its header names the image below by: relative to the folder of `path`, or absolute. It is not opened. */
  backing: string
  backingFormat: DiskFormat
  /** Length of the disk: that of the image below. */
  virtualBytes: number
  /** As for `ImageTool.create`. */
  options: readonly string[]
}

/** An empty encrypted qcow2. What it reads from is not opened. */
export interface EncryptedRequest {
  /** Where it is made; nothing may be there. Absolute. */
  path: string
  backing: Backing | null
  virtualBytes: number
  key: string
}

/** What an image reads from, as its header names it: relative to the image's folder, or absolute. */
export interface Backing { name: string; format: DiskFormat }

/** An image with its format. */
export interface ImageFile { path: string; format: DiskFormat }

/** A stretch of a disk, bytes. `zero`: it reads as zeroes. `depth`: which layer it is read from, 0 being the image itself. */
export interface ImageExtent { start: number; length: number; depth: number; zero: boolean; data: boolean }

export interface RebaseRequest {
  /** A qcow2, which reads the same at every moment and afterwards. */
  path: string
  /** What it reads from afterwards, a layer further down in its chain; null: nothing. */
  backing: Backing | null
  onProgress: (fraction: number) => void
  signal: AbortSignal
}

export interface CommitRequest {
  /** A qcow2 whose content goes down. It stays as it is. */
  path: string
  /** The qcow2 further down that takes it, as the header above it names it. Those between the two make no sense any more afterwards. */
  base: string
  onProgress: (fraction: number) => void
  signal: AbortSignal
}

/** `qemu-img`, the parts that Ringside uses. Formats are always stated and never probed. */
export interface QemuImg extends ImageTool {
  info(path: string, format: DiskFormat): Promise<ImageToolInfo & { actualBytes: number }>
  /** @param signal ends a long look; without one it may take a minute */
  check(path: string, format: DiskFormat, signal?: AbortSignal): Promise<ImageCheck>
  /** @param passphrase as of a conversion */
  measure(path: string, format: DiskFormat, targetFormat: 'qcow2' | 'raw', passphrase?: string): Promise<ImageMeasure>
  createOverlay(request: OverlayRequest): Promise<void>
  createEncrypted(request: EncryptedRequest): Promise<void>
  /** Copies into an image what it reads from the layers between it and its new backing file, then takes these out of its chain. Cut off, it can be done again. */
  rebase(request: RebaseRequest): Promise<void>
  /** Changes what a qcow2 says that it reads from, and nothing else: both have to hold the same. */
  relink(path: string, backing: Backing): Promise<void>
  /** Writes an image's content down into a layer of its chain, which grows with it if need be. What the image reads as is the same at every moment. Cut off, it can be done again. */
  commit(request: CommitRequest): Promise<void>
  /** Mends the reference counts of a qcow2 that was not closed in order. @param what `leaks`: gives back lost space, and touches nothing else */
  repair(path: string, what?: 'leaks' | 'all'): Promise<void>
  /** Whether both read the same as far as the shorter one goes, and the longer one as zeroes from there on. */
  compare(one: ImageFile, other: ImageFile, onProgress: (fraction: number) => void, signal: AbortSignal): Promise<boolean>
  /** Every stretch of the disk in order, with all layers below. @param signal ends a long look */
  eachExtent(image: ImageFile, visit: (extent: ImageExtent) => void, signal?: AbortSignal): Promise<void>
  /** Writes what the guest sees of a stretch of the disk to a file, which is replaced. Bytes, multiples of 512. */
  readStretch(image: ImageFile, stretch: { start: number; length: number }, target: string, signal?: AbortSignal): Promise<void>
  /** Bytes of data that a qcow2 reads from itself, from the layer below it, and so on downwards. @param signal ends a long look */
  dataByDepth(path: string, signal?: AbortSignal): Promise<number[]>
  /** The marks of backups in a qcow2 that nobody has open, and that can be trusted. */
  marks(path: string): Promise<string[]>
  /** Gives an empty overlay the marks of the layer below it; whole, or it does not have them. Nobody may have either open. */
  carryMarks(overlay: string, lower: string, marks: readonly string[]): Promise<void>
  /** Makes a qcow2 part of no backup any more: what is written to it from now on is not noted. */
  dropMarks(path: string): Promise<void>
  /** @param how `shrink` must be said when the image becomes smaller: what lies behind the new end is lost. `preallocate`: what is new takes its room at once */
  resize(path: string, format: 'qcow2' | 'raw', bytes: number, how?: 'grow' | 'preallocate' | 'shrink'): Promise<void>
}

const Info = z.object({ 'virtual-size': z.number(), 'actual-size': z.number().default(0) })
const Check = z.object({ 'check-errors': z.number(), corruptions: z.number().default(0), leaks: z.number().default(0) })
const Extent = z.object({ start: z.number(), length: z.number(), depth: z.number(), zero: z.boolean(), data: z.boolean() })
const Bitmap = z.object({ name: z.string(), flags: z.array(z.string()) })
type Bitmap = z.infer<typeof Bitmap>
const Bitmaps = z.object({ 'format-specific': z.object({ data: z.object({ bitmaps: z.array(Bitmap).optional() }) }).optional() })
const Measure = z.object({ required: z.number(), 'fully-allocated': z.number() })

/** For what reads only an image's tables. A conversion takes as long as it takes. */
const questionMs = 60_000

/** qemu-img's exit codes for `check`: 2 corruptions, 3 leaks; both come with a report. */
const checkCodes = [0, 2, 3]

/** What the tool needs for encrypted images. */
export interface ImageKeys {
  /** The disk key of an encrypted image. Throws `KEY_REQUIRED`, which names no machine where none has it. */
  of(path: string): Promise<string>
  /** A folder of this user's own, where keys are on their way to qemu-img for a moment. */
  readonly folder: string
  /** QEMU itself, which does what qemu-img can't. */
  readonly systemPath: string
}

/** To derive a key of 256 bits of chance again and again makes it no safer; without this each layer would take seconds to open. Milliseconds; QEMU takes 1000 rounds at least. */
const quickDerivation = 'encrypt.iter-time=10'
/** The key of a new image that is encrypted by another one than what it is made from. */
const newKeyId = 'new-key'

/** The number under which qemu-img finds the first key among its descriptors. */
const inheritedKeys = 3
/**
 * QEMU measures the processor before it makes a LUKS header, and gives up where the time that it used stands still meanwhile [crypto/pbkdf.c, qcrypto_pbkdf2_count_iters]. A sixth of
 * all attempts on an idle computer and a quarter on a busy one were given up (docs/decisions/077); nothing is written by then.
 */
const measureAttempts = 30

/**
 * @param program path of qemu-img
 * @param keys absent: encrypted images can't be worked on
 */
export function createImageTool(program: string, keys: ImageKeys | null = null): QemuImg {
  return {
    info: async (path, format) => {
      // `-U`: an image in use by a running machine may be looked at.
      const found = Info.parse(JSON.parse((await run(['info', '--output=json', '-U', '-f', format, '--', path], path)).stdout))
      return { virtualBytes: found['virtual-size'], actualBytes: found['actual-size'] }
    },
    check: async (path, format, signal) => {
      const found = Check.parse(JSON.parse((await runOn(path, format, (image) => ['check', '--output=json', ...image], checkCodes, signal === undefined ? {} : { signal, timeoutMs: null })).stdout))
      return { corruptions: found.corruptions + found['check-errors'], leaks: found.leaks }
    },
    measure: async (path, format, targetFormat, passphrase) => {
      const found = Measure.parse(JSON.parse((await runOn(path, format, (image) => ['measure', '--output=json', '-O', targetFormat, ...image], [0], passphrase === undefined ? {} : { passphrase, timeoutMs: null })).stdout))
      return { requiredBytes: found.required, fullyAllocatedBytes: found['fully-allocated'] }
    },
    create: (path, format, bytes, options, signal, key = null) => create(path, ['-f', format, ...optionArguments([...options, ...(key === null ? [] : encryptOptions(diskKeyId))])], bytes, { signal, key }),
    createOverlay: async ({ path, backing, backingFormat, virtualBytes, options }) => {
      // What lies upon an encrypted image is encrypted.
      const base = resolve(dirname(path), backing)
      if (backingFormat === 'qcow2' && (await encryptedChain(base)) !== null) {
        await createEncrypted({ path, backing: { name: backing, format: backingFormat }, virtualBytes, key: await keyOf(base) })
        return
      }
      // `-u`: the image below may be in use, and what it reads from is none of this program's business.
      await create(path, ['-f', 'qcow2', '-F', backingFormat, '-u', '-b', backing, ...optionArguments(options)], virtualBytes, { key: null })
    },
    createEncrypted,
    marks: async (path) => (await bitmapsOf(path)).filter(({ flags }) => flags.includes('auto') && !flags.includes('in-use')).map(({ name }) => name),
    carryMarks: async (overlay, lower, marks) => {
      for (const name of marks) {
        // Disabled until it holds everything: cut off before that, nobody trusts it.
        const [upper, below] = [await single(overlay), await single(lower)]
        await run(['bitmap', '--add', '--disable', '--merge', name, '--enable', '-g', '65536', ...(below.key === null ? ['-F', 'qcow2'] : []), '-b', below.name, ...(upper.key === null ? ['-f', 'qcow2'] : []), upper.name, name], overlay, [0], { key: upper.key })
      }
    },
    dropMarks: (path) => dropMarks(path, () => true),
    resize: async (path, format, bytes, how = 'grow') => {
      const shrink = how === 'shrink'
      // What is cut off and comes back empty would not be noted. And QEMU refuses any change while there is one that was not closed in order.
      if (format === 'qcow2') await dropMarks(path, ({ flags }) => shrink || flags.includes('in-use'))
      await runOn(path, format, (image) => ['resize', '-q', ...(shrink ? ['--shrink'] : how === 'preallocate' ? ['--preallocation=falloc'] : []), ...image, String(bytes)], [0], { timeoutMs: null })
    },
    convert: (request) => convert(request),
    rebase: async (request) => {
      const { path, backing, onProgress, signal } = request
      const chain = await encryptedChain(path)
      if (chain !== null) {
        const key = await keyOf(path)
        await streamOffline(requireKeys().systemPath, chain, key, request)
        return
      }
      const target = backing === null ? ['-b', ''] : ['-F', backing.format, '-b', backing.name]
      // Written through: qemu-img changes the header while the tables that it wrote may be in its memory still, and a cut there would lose what was copied.
      await runWithProgress(['rebase', '-p', '-f', 'qcow2', '-t', 'writethrough', ...target, '--', path], path, onProgress, signal)
    },
    relink: async (path, { name, format }) => {
      await requirePlain(path)
      await run(['rebase', '-q', '-u', '-f', 'qcow2', '-F', format, '-b', name, '--', path], path)
    },
    commit: async ({ path, base, onProgress, signal }) => {
      await requirePlain(path)
      // `-d`: emptied, the image would name a layer that others may have for their own.
      await runWithProgress(['commit', '-p', '-d', '-f', 'qcow2', '-b', base, '--', path], path, onProgress, signal)
    },
    repair: async (path, what = 'all') => {
      // 3: space is lost, and data is not. 2: data is wrong still, which the next check tells.
      // What is mended is other than it was, and nobody notes it.
      if (what === 'all') await dropMarks(path, () => true).catch(() => undefined)
      await runOn(path, 'qcow2', (image) => ['check', '-q', '-r', what, ...image], what === 'leaks' ? [0, 2, 3] : [0, 3], { timeoutMs: null })
      if (what === 'all') await dropMarks(path, () => true)
    },
    compare: async (one, other, onProgress, signal) => {
      const progress = new ProgressReader(onProgress)
      const options: RunOptions = { timeoutMs: null, signal, onStdout: (text) => { progress.push(text) } }
      const [first, second] = [await opened(one.path, one.format), await opened(other.path, other.format)]
      // Options of one that is encrypted are in its name; a plain one beside it is said the same way.
      const isPlain = first.key === null && second.key === null
      const argv = isPlain ? ['-f', one.format, '-F', other.format, '--', one.path, other.path] : ['--', first.name, second.name]
      const { code } = await run(['compare', '-p', ...argv], one.path, [0, 1], { ...options, key: first.key ?? second.key })
      return code === 0
    },
    eachExtent,
    readStretch: async ({ path, format }, { start, length }, target, signal) => {
      // Not `dd`, which counts from another place since QEMU 10 than before.
      const { spec, key } = await opened(path, format)
      const file = spec ?? { driver: format, file: { driver: 'file', filename: path } }
      const argv = ['convert', '-q', '-U', '-O', 'raw', '--', `json:${JSON.stringify({ driver: 'raw', offset: start, size: length, file })}`, target]
      await run(argv, path, [0], { timeoutMs: null, key, ...(signal === undefined ? {} : { signal }) })
    },
    dataByDepth: async (path, signal) => {
      const bytes: number[] = []
      await eachExtent({ path, format: 'qcow2' }, ({ depth, length, data }) => {
        if (data) bytes[depth] = (bytes[depth] ?? 0) + length
      }, signal)
      return Array.from(bytes, (count) => count ?? 0)
    },
  }

  async function bitmapsOf(path: string): Promise<Bitmap[]> {
    const found = Bitmaps.parse(JSON.parse((await run(['info', '--output=json', '-U', '-f', 'qcow2', '--', path], path)).stdout))
    return (found['format-specific']?.data.bitmaps ?? []).filter(({ name }) => isMark(name))
  }

  async function dropMarks(path: string, which: (bitmap: Bitmap) => boolean): Promise<void> {
    for (const bitmap of (await bitmapsOf(path)).filter(which)) {
      const { name, key } = await single(path)
      await run(['bitmap', '--remove', ...(key === null ? ['-f', 'qcow2'] : []), name, bitmap.name], path, [0], { key })
    }
  }

  async function eachExtent({ path, format }: ImageFile, visit: (extent: ImageExtent) => void, signal?: AbortSignal): Promise<void> {
    let rest = ''
    await runOn(path, format, (image) => ['map', '--output=json', '-U', ...image], [0], {
      timeoutMs: null,
      ...(signal === undefined ? {} : { signal }),
      onStdout: (text) => {
        // A heavily used disk has millions of extents: each is taken as it comes.
        const objects = (rest + text).split('}')
        rest = objects.pop() ?? ''
        for (const object of objects) visit(Extent.parse(JSON.parse(`${object.slice(object.indexOf('{'))}}`)))
      },
    })
  }

  async function runWithProgress(argv: string[], path: string, onProgress: (fraction: number) => void, signal: AbortSignal, options: RunOptions = {}): Promise<void> {
    const progress = new ProgressReader(onProgress)
    await run(argv, path, [0], { ...options, timeoutMs: null, signal, onStdout: (text) => { progress.push(text) } })
  }

  function requireKeys(): ImageKeys {
    if (keys === null) throw new RingsideError('IMAGE_UNSUPPORTED', 'The image is encrypted, and there is no key for it here.')
    return keys
  }

  function keyOf(path: string): Promise<string> {
    return Promise.resolve().then(() => requireKeys().of(path))
  }

  async function requirePlain(path: string): Promise<void> {
    if ((await encryptedChain(path)) !== null) throw new RingsideError('IMAGE_UNSUPPORTED', `The image is encrypted; its layers are only merged upwards: ${path}`, { path })
  }

  /** How an image is named, and the key that it takes. `spec`: what an encrypted one is named by, as an object. */
  async function opened(path: string, format: DiskFormat, passphrase: string | null = null): Promise<{ name: string; spec: JsonObject | null; key: string | null }> {
    if (passphrase !== null) {
      const spec = await foreignSpec(path, format)
      return { name: `json:${JSON.stringify(spec)}`, spec, key: passphrase }
    }
    const chain: ChainImage[] | null = format === 'qcow2' ? await encryptedChain(path) : null
    if (chain !== null) {
      const spec = chainSpec(chain)
      return { name: `json:${JSON.stringify(spec)}`, spec, key: await keyOf(path) }
    }
    return { name: `json:${JSON.stringify({ driver: format, file: { driver: 'file', filename: path } })}`, spec: null, key: null }
  }

  /** The same of a qcow2 for what looks at nothing below it. */
  async function single(path: string): Promise<{ name: string; key: string | null }> {
    const [image] = (await encryptedChain(path)) ?? []
    if (image === undefined) return { name: path, key: null }
    return { name: `json:${JSON.stringify(singleSpec(image))}`, key: await keyOf(path) }
  }

  /** Runs on one image, whether it is encrypted or not. @param argv of the arguments that name the image */
  async function runOn(path: string, format: DiskFormat, argv: (image: string[]) => string[], goodCodes: readonly number[] = [0], options: RunOptions = {}): Promise<{ stdout: string; code: number }> {
    const { name, key } = await opened(path, format, options.passphrase)
    return run(argv(key === null ? ['-f', format, '--', path] : ['--', name]), path, goodCodes, { ...options, key })
  }

  async function create(path: string, argv: readonly string[], bytes: number, { signal, key }: { signal?: AbortSignal | undefined; key: string | null }): Promise<void> {
    await claim(path)
    try {
      // One that is allocated in full takes its time, and whoever can stop it waits for it.
      await run(['create', '-q', ...argv, '--', path, String(bytes)], path, [0], { key, ...(signal === undefined ? {} : { signal, timeoutMs: null }) })
    } catch (error) {
      await rm(path, { force: true })
      throw error
    }
  }

  /** Not by qemu-img, which first measures the processor for seconds. */
  async function createEncrypted({ path, ...overlay }: EncryptedRequest): Promise<void> {
    await claim(path)
    await writeEncryptedOverlay(path, overlay).catch(async (error: unknown) => {
      await rm(path, { force: true })
      throw error
    })
  }

  async function convert(request: ConvertRequest): Promise<void> {
    const { source, sourceFormat, target, targetFormat, options, backing, onProgress, onStarted, signal, encryption = 'keep', passphrase = null } = request
    const image = await opened(source, sourceFormat, passphrase)
    const newKey = encryption === 'keep' ? image.key : encryption === 'none' ? null : encryption.key
    if (newKey !== null && targetFormat !== 'qcow2') {
      throw new RingsideError('IMAGE_UNSUPPORTED', `The image is encrypted, and as ${targetFormat} it would be written unencrypted: ${source}`, { path: source, hint: 'Choose qcow2.' })
    }
    await claim(target)
    // Direct I/O keeps a large copy from pushing everything else out of the host's memory; not every file system has it.
    const cache = [...((await takesDirectIo(target)) ? ['-t', 'none'] : []), ...((await takesDirectIo(source)) ? ['-T', 'none'] : [])]
    // What people think of is worth what its derivation costs.
    const encrypt = newKey === null ? [] : encryptOptions(newKeyId, newKey !== passphrase)
    const argv = [
      'convert', '-p', ...cache, ...(image.key === null ? ['-f', sourceFormat] : []), '-O', targetFormat, ...(backing === undefined ? [] : ['-B', backing.name, '-F', backing.format]),
      ...optionArguments([...options, ...encrypt]), '--', image.key === null ? source : image.name, target,
    ]
    try {
      await runWithProgress(argv, source, onProgress, signal, { onStarted, key: image.key, newKey, passphrase })
    } catch (error) {
      await rm(target, { force: true })
      throw error
    }
  }

  interface RunOptions {
    timeoutMs?: number | null
    signal?: AbortSignal
    onStdout?: (text: string) => void
    onStarted?: ((pid: number) => void) | undefined
    /** Opens and encrypts every encrypted image. */
    key?: string | null
    /** Encrypts the new image. */
    newKey?: string | null
    /** Opens the image in place of a disk key. */
    passphrase?: string | null
  }

  /** @param path the image that it is about, for the error */
  async function run(argv: string[], path: string, goodCodes: readonly number[] = [0], options: RunOptions = {}): Promise<{ stdout: string; code: number }> {
    const secrets = [{ id: diskKeyId, value: options.key ?? null }, { id: newKeyId, value: options.newKey ?? null }].flatMap(({ id, value }) => (value === null ? [] : [{ id, value }]))
    if (secrets.length === 0) return runOnce(argv, path, goodCodes, options, [])
    for (let attempt = 1; ; attempt += 1) {
      await using handed = await handOverAll(secrets.map(({ value }) => value))
      const [command = '', ...rest] = argv
      const objects = secrets.flatMap(({ id }, index) => ['--object', `secret,id=${id},file=${handed.files[index] ?? ''}`])
      try {
        return await runOnce([command, ...objects, ...rest], path, goodCodes, options, handed.descriptors)
      } catch (error) {
        if (options.passphrase != null && isRingsideError(error, 'KEY_WRONG')) throw notThePassphrase(path, error)
        const mayTryAgain = isRingsideError(error, 'QEMU_FAILED') && error.data.process?.stderrTail.includes('accurate CPU usage') === true
        if (!mayTryAgain || attempt >= measureAttempts) throw error
      }
    }
  }

  /** @returns what qemu-img is told in place of each secret, and the descriptors that it inherits */
  async function handOverAll(secrets: readonly string[]): Promise<{ files: string[]; descriptors: number[] } & AsyncDisposable> {
    await using stack = new AsyncDisposableStack()
    const handed: HandedSecret[] = []
    for (const [index, secret] of secrets.entries()) handed.push(stack.use(await handOver(secret, join(requireKeys().folder, `key-${randomBytes(6).toString('hex')}`), inheritedKeys + index)))
    const all = stack.move()
    return { files: handed.map(({ file }) => file), descriptors: handed.flatMap(({ fd }) => (fd === null ? [] : [fd])), [Symbol.asyncDispose]: () => all.disposeAsync() }
  }

  async function runOnce(argv: string[], path: string, goodCodes: readonly number[], options: RunOptions, keyDescriptors: readonly number[]): Promise<{ stdout: string; code: number }> {
    const { signal, onStdout, timeoutMs = questionMs } = options
    if (isAborted(signal)) throw cancelled()
    const child = spawn(program, argv, { stdio: ['ignore', 'pipe', 'pipe', ...keyDescriptors], windowsHide: true })
    if (child.pid !== undefined) options.onStarted?.(child.pid)
    let stdout = ''
    let words = ''
    let timedOut = false
    const { stdout: output, stderr } = child as ChildProcessByStdio<null, Readable, Readable>
    output.on('data', (chunk: Buffer) => {
      const text = chunk.toString('utf8')
      if (onStdout === undefined) stdout += text
      else onStdout(text)
    })
    stderr.on('data', (chunk: Buffer) => { words = (words + chunk.toString('utf8')).slice(-8192) })
    const stop = (): void => { child.kill('SIGKILL') }
    signal?.addEventListener('abort', stop, { once: true })
    const timer = timeoutMs === null ? null : setTimeout(() => { timedOut = true; stop() }, timeoutMs)
    const ended = await new Promise<{ code: number | null; signal: string | null; error: NodeJS.ErrnoException | null }>((resolve) => {
      child.once('error', (error) => { resolve({ code: null, signal: null, error }) })
      child.once('close', (code, by) => { resolve({ code, signal: by, error: null }) })
    })
    signal?.removeEventListener('abort', stop)
    if (timer !== null) clearTimeout(timer)
    if (isAborted(signal)) throw cancelled()
    if (ended.error !== null) {
      throw new RingsideError('QEMU_NOT_FOUND', `qemu-img can't be started (${ended.error.code ?? ended.error.message}): ${program}`, { path: program, hint: 'Install QEMU again, or choose its folder in the settings.' })
    }
    if (timedOut) throw new RingsideError('TIMED_OUT', `qemu-img did not finish within ${String((timeoutMs ?? 0) / 1000)} s: ${path}`, { path, hint: 'The disk or network share may not answer; try again.' })
    if (ended.code !== null && goodCodes.includes(ended.code)) return { stdout, code: ended.code }
    const failure: ProcessFailure = { command: program, argv, exitCode: ended.code, signal: ended.signal, stderrTail: lastLines(words) }
    throw classifyImageFailure(failure, path)
  }
}

function optionArguments(options: readonly string[]): string[] {
  return options.flatMap((option) => ['-o', option])
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true
}

/** @param quick it is a key of chance */
function encryptOptions(secret: string, quick = true): string[] {
  return ['encrypt.format=luks', `encrypt.key-secret=${secret}`, ...(quick ? [quickDerivation] : [])]
}

function notThePassphrase(path: string, cause: RingsideError): RingsideError {
  return new RingsideError('KEY_WRONG', `This is not the passphrase of the image: ${path}`, { path, hint: 'Check Caps Lock and the keyboard layout, then try again.' }, { cause })
}

function cancelled(): RingsideError {
  return new RingsideError('CANCELLED', 'The work on the disk image was cancelled.')
}

/** Takes the name before qemu-img does, which would overwrite what is there. */
async function claim(path: string): Promise<void> {
  try {
    await (await open(path, 'wx')).close()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') {
      throw new RingsideError('FILE_EXISTS', `There is a file of that name already: ${path}`, { path, hint: 'Choose another name, or move the file away.' }, { cause })
    }
    throw new RingsideError('FILE_UNREADABLE', `The image can't be made (${(cause as NodeJS.ErrnoException).code ?? 'unknown error'}): ${path}`, { path, hint: 'Check that the folder exists and that you may write to it.' }, { cause })
  }
}

async function takesDirectIo(path: string): Promise<boolean> {
  if (process.platform !== 'linux') return false
  return open(path, constants.O_RDONLY | constants.O_DIRECT).then((handle) => handle.close().then(() => true), () => false)
}
