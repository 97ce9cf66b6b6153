/** What the probe guest computes and the host computes again: both sides read these figures. */
export const probeWork = {
  seed: 0x52494e4753494445n,
  multiplier: 0x5851f42d4c957f2dn,
  rotation: 13,
  /** Each round starts with a breakpoint. */
  rounds: 16,
  stepsPerRound: 4096,
  /** EFER.LME and EFER.LMA, which long mode has set. */
  eferMask: 0x500,
} as const

/** The value that the guest writes to isa-debug-exit, and the exit code that QEMU makes of it: `value << 1 | 1`. */
export const probeExit = { port: 0xf4, value: 16, code: 33 } as const

export const probeGreeting = 'ringside-probe ok '

/** The line that a processor which works prints on the serial port, without its line end. */
export function expectedProbeAnswer(): string {
  answer ??= probeGreeting + compute().toString(16).padStart(16, '0')
  return answer
}

/**
 * QEMU arguments that run the probe ROM with its answer on standard output. The caller adds the accelerator and processor to prove
 * (`-accel X -cpu Y`), an end after a second or so, and keeps standard error for the reason.
 */
export function probeGuestArgs(romPath: string): string[] {
  return [
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
    ...['-machine', 'pc', '-m', '16', '-bios', romPath],
    ...['-chardev', 'stdio,id=answer,signal=off', '-serial', 'chardev:answer'],
    ...['-device', `isa-debug-exit,iobase=0x${probeExit.port.toString(16)},iosize=1`],
  ]
}

/**
 * Whether the guest really ran: the exact line on serial and the exit code that only the guest can cause.
 * @param exitCode of the QEMU process; null when a signal ended it
 */
export function isProbeAnswer(serialText: string, exitCode: number | null): boolean {
  return exitCode === probeExit.code && serialText.trim() === expectedProbeAnswer()
}

let answer: string | undefined

/** The same sums as the guest's, see `probe-rom.ts`. */
function compute(): bigint {
  const { multiplier, rounds, stepsPerRound } = probeWork
  let hash: bigint = probeWork.seed
  for (let round = 1; round <= rounds; round++) {
    for (let step = stepsPerRound; step >= 1; step--) hash = rotate(hash * multiplier + BigInt(step))
    hash ^= BigInt(round)
  }
  return BigInt.asUintN(64, hash + BigInt(probeWork.eferMask))
}

function rotate(value: bigint): bigint {
  const word = BigInt.asUintN(64, value)
  const by = BigInt(probeWork.rotation)
  return BigInt.asUintN(64, word << by) | (word >> (64n - by))
}
