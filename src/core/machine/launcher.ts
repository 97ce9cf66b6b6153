/** One worker process, as the supervisor sees it; Electron's utility process and Node's child process both fit behind it. */
export interface WorkerHandle {
  readonly pid: number | undefined
  /**
   * @param transfer what goes along beside the message: a `net.Socket` (Node) or one `MessagePortMain` (Electron)
   */
  send(message: unknown, transfer?: unknown): void
  onMessage(listener: (message: unknown) => void): void
  /** Called once, when the process is gone. */
  onExit(listener: (exit: { code: number | null; signal: string | null }) => void): void
  /** Ends the worker; its machine goes on. */
  kill(): void
}

/** Which machine a worker is for. */
export interface WorkerMachine {
  id: string
  name: string
  /** Where what the worker prints is kept: a defect's stack, mostly. */
  logFile: string
}

/** Starts the worker process of a machine. Injected: core never imports the worker. */
export type WorkerLauncher = (machine: WorkerMachine) => WorkerHandle
