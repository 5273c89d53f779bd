/** A dispatcher that tells what its dispatches come to, whoever asks for them. */
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
