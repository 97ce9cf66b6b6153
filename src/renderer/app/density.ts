/** The component library, set as tight as a desktop application is. */
export const density = {
  slideover: { overlay: 'bg-black/40 dark:bg-black/60', header: 'p-4 sm:px-5 min-h-0', title: 'text-base' },
  // The library's own track of a switch that is off is hardly seen on white.
  switch: { base: 'data-[state=unchecked]:bg-(--switch-off)' },
  modal: { overlay: 'bg-black/40 dark:bg-black/60', header: 'p-4 sm:px-5 min-h-0', body: 'p-4 sm:p-5', footer: 'px-4 py-3 sm:px-5', title: 'text-base' },
  contextMenu: { content: 'w-64', itemDescription: 'text-2xs whitespace-normal' },
  dropdownMenu: { content: 'w-64', itemDescription: 'text-2xs whitespace-normal' },
  tooltip: { content: 'h-auto max-w-72 py-1.5', text: 'whitespace-normal text-pretty' },
}
