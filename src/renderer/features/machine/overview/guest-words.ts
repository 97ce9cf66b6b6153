import type { GuestInfo, GuestInterface } from '@shared/model'

export interface ShownAddress {
  address: string
  /** Which interface has it, and how large its network is. */
  about: string
}

/** Addresses by which a guest can be reached: those of itself and of the link alone lead nowhere from outside. */
export function addressesOf(interfaces: readonly GuestInterface[]): ShownAddress[] {
  return interfaces.flatMap(({ name, addresses }) =>
    addresses
      .filter(({ address }) => !/^(?:127\.|::1$|fe80:)/iu.test(address))
      .map(({ address, prefix }) => ({ address, about: `${name}, /${String(prefix)}` })),
  )
}

/** `Europe/Berlin, UTC+01:00` */
export function timeZoneInWords({ name, offsetSeconds }: NonNullable<GuestInfo['timeZone']>): string {
  const minutes = Math.round(Math.abs(offsetSeconds) / 60)
  const offset = `UTC${offsetSeconds < 0 ? '−' : '+'}${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`
  return name === null || name === 'UTC' ? offset : `${name}, ${offset}`
}

/** The command in a hint such as “Install the agent in the guest: sudo apt …”, to be copied; null when there is none. */
export function commandOf(hint: string | undefined): { before: string; command: string } | null {
  const [, before, command] = /^(.*?: )((?:sudo |doas |pkg ).+)$/u.exec(hint ?? '') ?? []
  return before === undefined || command === undefined ? null : { before, command }
}
