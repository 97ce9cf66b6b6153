// @ts-check

/**
 * @typedef {object} StartOptions
 * @property {boolean} serve
 * @property {boolean} help
 * @property {string[]} serverArguments what the server gets, which checks them
 */

export const usage = `npm start [-- options]

  --serve           serve the window to a browser instead of opening it
  --port <number>   port of the browser's server; 0 picks a free one (implies --serve)
  --host <address>  address it binds to, instead of loopback (implies --serve)
  --help            this text

Behind --serve, every option of \`npm run ringside -- serve --help\` works.`

const impliesServing = /^--(port|host)(=|$)|^-p/u

/**
 * @param {readonly string[]} argv
 * @returns {StartOptions} throws an `Error` that says what is wrong with an argument
 */
export function startOptions(argv) {
  const serverArguments = argv.filter((argument) => argument !== '--serve')
  const serve = argv.includes('--serve') || argv.some((argument) => impliesServing.test(argument))
  if (serve) return { serve, help: false, serverArguments }
  const help = argv.includes('--help') || argv.includes('-h')
  const [unknown] = argv.filter((argument) => argument !== '--help' && argument !== '-h')
  if (unknown !== undefined && !help) throw new Error(`npm start does not know "${unknown}".\n\n${usage}`)
  return { serve, help, serverArguments: [] }
}
