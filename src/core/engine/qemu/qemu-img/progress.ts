/** Reads `qemu-img -p`: figures such as `(12.34/100%)`, each over the one before by a carriage return. */
export class ProgressReader {
  #rest = ''

  /** @param onProgress 0..1, never going back */
  constructor(private readonly onProgress: (fraction: number) => void) {}

  push(text: string): void {
    this.#rest += text
    const figures = [...this.#rest.matchAll(/\((\d+(?:\.\d+)?)\/100%\)/gu)]
    const last = figures.at(-1)
    if (last === undefined) return
    this.#rest = this.#rest.slice(last.index + last[0].length)
    this.onProgress(Math.min(1, Number(last[1]) / 100))
  }
}
