import { effectScope } from 'vue'
import { afterEach, expect, test, vi } from 'vitest'
import { useUpload, type Upload } from './use-upload.composable'

class FakeRequest {
  static last: FakeRequest
  upload: { onprogress?: (event: { loaded: number }) => void } = {}
  onload?: () => void
  onerror?: () => void
  onabort?: () => void
  status = 0
  responseText = ''
  opened = ''
  constructor() { FakeRequest.last = this }
  open(method: string, url: string): void { this.opened = `${method} ${url}` }
  send(): void { /* Answered by the test. */ }
  abort(): void { this.onabort?.() }
  answer(status: number, body: unknown): void {
    this.status = status
    this.responseText = typeof body === 'string' ? body : JSON.stringify(body)
    this.onload?.()
  }
}
const file = new File([new Uint8Array(10)], 'my disc.iso')

function upload(): { upload: Upload; leave: () => void } {
  vi.stubGlobal('XMLHttpRequest', FakeRequest)
  const scope = effectScope()
  return { upload: scope.run(useUpload) as Upload, leave: () => { scope.stop() } }
}
afterEach(() => { vi.unstubAllGlobals() })

test('tells how far it is and ends with the path on the host', async () => {
  const { upload: it } = upload()
  const sent = it.send(file)
  expect(FakeRequest.last.opened).toBe('PUT /upload?name=my%20disc.iso')
  FakeRequest.last.upload.onprogress?.({ loaded: 4 })
  expect(it.now.value).toEqual({ name: 'my disc.iso', sent: 4, total: 10 })
  FakeRequest.last.answer(201, { path: '/media/my disc.iso' })
  await expect(sent).resolves.toBe('/media/my disc.iso')
  expect(it.now.value).toBeNull()
})

test('the host’s own words for a refusal come through', async () => {
  const { upload: it } = upload()
  const sent = it.send(file)
  FakeRequest.last.answer(507, { code: 'DISK_FULL', message: 'No room.', data: { hint: 'Make room.' } })
  await expect(sent).rejects.toMatchObject({ code: 'DISK_FULL', message: 'No room.' })
})

test('an answer that is no JSON is told as one', async () => {
  const { upload: it } = upload()
  const sent = it.send(file)
  FakeRequest.last.answer(502, '<html>')
  await expect(sent).rejects.toMatchObject({ code: 'INTERNAL' })
})

test('leaving the wizard ends the upload', async () => {
  const { upload: it, leave } = upload()
  const sent = it.send(file)
  leave()
  await expect(sent).rejects.toMatchObject({ code: 'CANCELLED' })
  expect(it.now.value).toBeNull()
})
