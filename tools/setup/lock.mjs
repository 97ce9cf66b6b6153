// @ts-check

/**
 * @typedef {{ version?: string, resolved?: string, integrity?: string, link?: boolean, optionalDependencies?: Record<string, string> }} LockEntry
 */

/**
 * What would make `npm ci` fail, or fetch something else, on another computer than the one that wrote the lock file.
 *
 * npm leaves out of a lock file the optional packages of other platforms when it is written beside an existing node_modules
 * (npm/cli issue 4828); esbuild, rolldown, oxide and others bring their binaries that way.
 * @param {Record<string, LockEntry>} packages `packages` of package-lock.json
 * @returns {string[]} one sentence for each fault
 */
export function lockFaults(packages) {
  /** @type {string[]} */
  const faults = []
  for (const [path, entry] of Object.entries(packages)) {
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      if (!isResolved(packages, path, name)) faults.push(`${path || 'The project'} ${entry.version ?? ''} wants ${name}, which the lock file lacks.`)
    }
    if (path === '' || entry.link === true) continue
    // Without an address it comes from whichever registry npm is set to, checked by its digest.
    if (entry.resolved !== undefined && !entry.resolved.startsWith('https://registry.npmjs.org/')) faults.push(`${path} does not come from the npm registry but from ${entry.resolved}.`)
    if (entry.integrity === undefined) faults.push(`${path} has no integrity.`)
  }
  return faults
}

/**
 * Whether a package resolves from where another one lies, by Node's rule: the nearest node_modules folder upwards.
 * @param {Record<string, LockEntry>} packages
 * @param {string} from
 * @param {string} name
 */
function isResolved(packages, from, name) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
    if (packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`]) return true
    if (folder === '') return false
  }
}
