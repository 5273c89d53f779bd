/** Whether an agent may take part in its room. While it may not, it says and hears nothing there. */
export interface Gate {
  /** To be asked before each frame, since a process that stood still cannot have been told. */
  readonly open: boolean;
  /** Has `listener` called whenever it shuts: what waits to be played is discarded. */
  onShut(listener: () => void): void;
}

/** A gate that nobody shuts. */
export const openGate: Gate = { open: true, onShut: () => {} };
