/** What dispatches come to, for those who are told. */
import type { Dispatcher, DispatchResult } from "./dispatcher.ts";

/** The same dispatcher; `onResult` is told of every dispatch's result before it is answered. */
export function tellingResults(
  dispatcher: Dispatcher,
  onResult: (result: DispatchResult) => void,
): Dispatcher {
  const dispatch: Dispatcher["dispatch"] = async (request) => {
    const result = await dispatcher.dispatch(request);
    onResult(result);
    return result;
  };
  // By descriptors, since a spread would read its getters once and for all.
  return Object.create(Object.prototype, {
    ...Object.getOwnPropertyDescriptors(dispatcher),
    dispatch: { value: dispatch, enumerable: true },
  });
}

/** A dispatch that gave no session. */
export type NoSession = Exclude<DispatchResult, { readonly session: unknown }>;

/** Why there is no session, for LiveKit's clients. */
export function inWords(result: NoSession): string {
  switch (result.type) {
    case "unknown-agent":
      return `There is no agent ${JSON.stringify(result.agent)}; there is ${result.known.join(", ")}.`;
    case "full":
      return `${result.reason}; try again later.`;
    case "draining":
      return "The server is shutting down.";
    case "failed":
      return `The agent could not be sent: ${result.reason}.`;
  }
}
