// Before the first paint, so that a remembered theme never flashes the other one. The key is the one in lib/theme.composable.ts.
;(function () {
  var choice = null
  try {
    choice = localStorage.getItem('vueuse-color-scheme')
  } catch {
    // No storage: follow the system.
  }
  var dark = choice === 'dark' || (choice !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.classList.add(dark ? 'dark' : 'light')
})()
