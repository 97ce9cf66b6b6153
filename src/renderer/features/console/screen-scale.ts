export interface ScreenSize {
  width: number
  height: number
}

/** `fit`: as large as the view allows. `actual`: whole device pixels. `resize`: the guest takes the size of the view, where it can. */
export type ScaleMode = 'fit' | 'actual' | 'resize'

/**
 * Device pixels that one pixel of the guest takes at actual size: a whole number, so that nothing blurs, and at least one.
 * On a screen of 2x a guest pixel is 2 by 2 device pixels and text keeps its size; on one of 1.5x it is one device pixel.
 */
export function devicePixelsPerGuestPixel(devicePixelRatio: number): number {
  return Math.max(1, Math.floor(devicePixelRatio))
}

/** The guest size that fills the view at actual size. Widths are multiples of 8, as display drivers want them. */
export function wantedGuestSize(view: ScreenSize, devicePixelRatio: number): ScreenSize {
  const factor = devicePixelRatio / devicePixelsPerGuestPixel(devicePixelRatio)
  return {
    width: Math.max(320, Math.floor((view.width * factor) / 8) * 8),
    height: Math.max(200, Math.floor((view.height * factor) / 2) * 2),
  }
}

/** Size of the picture in CSS pixels. */
export function pictureSize(mode: ScaleMode, guest: ScreenSize, view: ScreenSize, devicePixelRatio: number): ScreenSize {
  if (guest.width === 0 || guest.height === 0 || view.width === 0 || view.height === 0) return view
  const actual = devicePixelsPerGuestPixel(devicePixelRatio) / devicePixelRatio
  const scale = mode === 'actual' || (mode === 'resize' && fills(guest, wantedGuestSize(view, devicePixelRatio))) ? actual : fitScale(guest, view, devicePixelRatio)
  return { width: guest.width * scale, height: guest.height * scale }
}

function fitScale(guest: ScreenSize, view: ScreenSize, devicePixelRatio: number): number {
  const largest = Math.min(view.width / guest.width, view.height / guest.height)
  const devicePixels = largest * devicePixelRatio
  const whole = Math.floor(devicePixels)
  // A little smaller and sharp beats filling the last few pixels softly.
  return whole >= 1 && devicePixels / whole < 1.04 ? whole / devicePixelRatio : largest
}

function fills(guest: ScreenSize, wanted: ScreenSize): boolean {
  return Math.abs(guest.width - wanted.width) <= 8 && Math.abs(guest.height - wanted.height) <= 8
}

/**
 * Whether the picture is drawn with hard pixel edges: only where each guest pixel covers a whole number of device pixels.
 * Anything between is smoothed, because uneven pixels make text harder to read than soft ones.
 */
export function isCrisp(guestWidth: number, cssWidth: number, devicePixelRatio: number): boolean {
  if (guestWidth === 0) return false
  const factor = (cssWidth * devicePixelRatio) / guestWidth
  return factor >= 0.995 && Math.abs(factor - Math.round(factor)) < 0.005
}
