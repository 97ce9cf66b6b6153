/** The component library, set as tight as a desktop application is. */
export const density = {
  modal: { overlay: 'bg-black/40 dark:bg-black/60', header: 'p-4 sm:px-5 min-h-0', body: 'p-4 sm:p-5', footer: 'px-4 py-3 sm:px-5', title: 'text-base' },
  contextMenu: { content: 'w-64', itemDescription: 'text-2xs whitespace-normal' },
  dropdownMenu: { content: 'w-64', itemDescription: 'text-2xs whitespace-normal' },
  tooltip: { content: 'h-auto max-w-72 py-1.5', text: 'whitespace-normal text-pretty' },
}
