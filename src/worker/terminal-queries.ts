/**
 * What a guest asks of a terminal and every terminal answers by itself, as if typed: device status and attributes, modes, version, size,
 * colours, settings, and the answerback of ENQ [ECMA-48; XTerm Control Sequences].
 */
const queries = [
  String.raw`\x1b\[[?>]?[\d;]*n`,
  String.raw`\x1b\[[?>=]?[\d;]*c`,
  String.raw`\x1bZ`,
  String.raw`\x1b\[\??[\d;]*\$p`,
  String.raw`\x1b\[>[\d;]*q`,
  String.raw`\x1b\[(?:1[1345689]|2[01])(?:;\d+)*t`,
  String.raw`\x1b\][\d;]+;\?(?:\x07|\x1b\\)`,
  String.raw`\x1bP[$+]q[^\x1b]*\x1b\\`,
  String.raw`\x05`,
]
const query = new RegExp(queries.join('|'), 'gu')

/**
 * The past of a serial port as it may be shown again: without the questions in it. They were answered when they were asked; a viewer's
 * terminal that answered once more would type into the guest just by being opened.
 */
export function withoutQueries(bytes: Uint8Array): Uint8Array {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (!buffer.includes(0x1b) && !buffer.includes(0x05)) return bytes
  return Buffer.from(buffer.toString('latin1').replace(query, ''), 'latin1')
}
