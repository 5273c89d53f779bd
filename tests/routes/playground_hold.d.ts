/** What routes/playground/hold.js has to offer: the page's scripts are plain JavaScript. */
export declare function createHold(options: {
  readonly button: EventTarget;
  readonly keys?: EventTarget;
  readonly mayStart: () => boolean;
  readonly onTurn: (action: "start" | "commit" | "cancel") => void;
  readonly onChange: (held: boolean) => void;
}): { readonly release: () => void };
