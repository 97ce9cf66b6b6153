/** What the keys do, as the help lists it. */
export const shortcutGroups: readonly { title: string; entries: readonly { keys: string; does: string }[] }[] = [
  {
    title: 'Anywhere',
    entries: [
      { keys: 'mod+K', does: 'Search or run a command' },
      { keys: 'N', does: 'New machine' },
      { keys: '/', does: 'Filter the machines' },
      { keys: 'mod+J', does: 'Show the jobs' },
      { keys: 'mod+,', does: 'This computer and settings' },
      { keys: '?', does: 'These shortcuts' },
    ],
  },
  {
    title: 'List of machines',
    entries: [
      { keys: 'up', does: 'Machine above' },
      { keys: 'down', does: 'Machine below' },
      { keys: 'enter', does: 'Open its console' },
      { keys: 'F2', does: 'Rename' },
      { keys: 'delete', does: 'Delete' },
      { keys: 'shift+F10', does: 'Everything that can be done with it' },
    ],
  },
  {
    title: 'Selected machine',
    entries: [
      { keys: 'mod+enter', does: 'Start, or resume' },
      { keys: 'mod+shift+P', does: 'Pause, or resume' },
      { keys: 'mod+shift+S', does: 'Take a snapshot' },
      { keys: 'alt+1', does: 'Overview' },
      { keys: 'alt+2', does: 'Console' },
      { keys: 'alt+3', does: 'Snapshots' },
      { keys: 'alt+4', does: 'Hardware' },
      { keys: 'alt+5', does: 'Backups' },
    ],
  },
  {
    title: 'Tree of snapshots',
    entries: [
      { keys: 'left', does: 'Fold away what follows, or to its parent' },
      { keys: 'right', does: 'Show what follows, or to the first of it' },
      { keys: 'enter', does: 'Revert to it' },
      { keys: 'F2', does: 'Rename' },
      { keys: 'delete', does: 'Delete' },
      { keys: 'mod+F', does: 'Search' },
    ],
  },
  {
    title: 'Hardware',
    entries: [
      { keys: 'enter', does: 'To the settings of the device' },
      { keys: 'Insert', does: 'Add a device' },
      { keys: 'delete', does: 'Take the device out' },
      { keys: 'alt+up', does: 'Before the one above' },
      { keys: 'alt+down', does: 'After the one below' },
      { keys: 'mod+Z', does: 'Undo' },
      { keys: 'mod+shift+Z', does: 'Redo' },
      { keys: 'mod+S', does: 'Apply' },
      { keys: 'F6', does: 'To the next pane' },
      { keys: 'mod+F', does: 'Search' },
    ],
  },
  {
    title: 'Storage',
    entries: [
      { keys: 'up', does: 'Image above' },
      { keys: 'down', does: 'Image below' },
      { keys: 'enter', does: 'To what can be done with it' },
      { keys: 'mod+F', does: 'Search' },
    ],
  },
  {
    title: 'In a console',
    entries: [{ keys: 'Ctrl+Alt', does: 'Give the keyboard back' }],
  },
]
