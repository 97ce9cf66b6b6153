/** What one machine takes of this computer's processors. */
export interface MachineUse { id: string; name: string; cores: number }

/** The machines that take something, most first, and how much all of them take together. Machines whose use is unknown are counted, not guessed. */
export function rankUse(machines: readonly { id: string; name: string; cores: number | null | undefined }[]): { ranked: MachineUse[]; total: number; unknown: number } {
  const known = machines.flatMap(({ id, name, cores }) => (typeof cores === 'number' ? [{ id, name, cores }] : []))
  const ranked = known.sort((a, b) => b.cores - a.cores || a.name.localeCompare(b.name))
  return { ranked, total: ranked.reduce((sum, each) => sum + each.cores, 0), unknown: machines.length - known.length }
}
