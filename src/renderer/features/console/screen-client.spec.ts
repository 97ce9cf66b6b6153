import RFB from '@novnc/novnc'
import { expect, test } from 'vitest'

test('noVNC still has the members that the screen client builds on', () => {
  const prototype = RFB.prototype as unknown as Record<string, unknown>
  for (const name of ['_resize', '_framebufferUpdate', '_handleExtendedDesktopSize', '_handleServerCutText', '_screenSize', '_requestRemoteResize']) {
    expect(typeof prototype[name], name).toBe('function')
  }
})
