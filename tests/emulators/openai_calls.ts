/** Calls of tools as chat completions stream them: as OpenAI does, and as servers do that only resemble it. */

/** A call that a script makes. */
export interface ScriptedCall {
  /** Default: one of its own. */
  readonly id?: string;
  readonly name: string;
  /** Written as JSON; text is sent as it stands, and may be none. */
  readonly arguments: Readonly<Record<string, unknown>> | string;
}

/**
 * `"deltas"`: id and name first, then the arguments in pieces, the calls one after the other, as OpenAI does.
 * `"interleaved"`: the pieces of parallel calls by turns. `"whole"`: each call in one piece. `"together"`: all calls in one
 * piece. `"without-ids"`: whole, without ids. `"same-index"`: whole, each at index 0. `"without-index"`: in pieces, ids
 * with each, no index. `"repeating"`: in pieces, with the id and name in each.
 * `"objects"`: whole, the arguments not written as text.
 */
export type CallShape =
  | "deltas"
  | "interleaved"
  | "whole"
  | "together"
  | "without-ids"
  | "same-index"
  | "without-index"
  | "repeating"
  | "objects";

type Piece = Record<string, unknown>;

/** The `tool_calls` of each chunk. */
export function callDeltas(calls: readonly ScriptedCall[], shape: CallShape = "deltas"): Piece[][] {
  const each = calls.map(
    ({ id = `call_${crypto.randomUUID().slice(0, 8)}`, name, arguments: given }, index): Piece[] => {
      const text = typeof given === "string" ? given : JSON.stringify(given);
      const whole = { index, id, type: "function", function: { name, arguments: text } };
      const begun = { ...whole, function: { name, arguments: "" } };
      const pieces = text.match(/.{1,7}/gs) ?? [];
      const deltas = pieces.map((piece) => ({ index, function: { arguments: piece } }));
      switch (shape) {
        case "deltas":
        case "interleaved":
          return [begun, ...deltas];
        case "whole":
        case "together":
          return [whole];
        case "without-ids":
          return [{ index, type: "function", function: { name, arguments: text } }];
        case "same-index":
          return [{ ...whole, index: 0 }];
        case "without-index":
          return [{ ...begun, index: undefined }, ...deltas.map((delta) => ({ ...delta, index: undefined }))];
        case "repeating":
          return pieces.map((piece) => ({ ...whole, function: { name, arguments: piece } }));
        case "objects":
          return [{ ...whole, function: { name, arguments: given } }];
      }
    },
  );
  if (shape === "together") return each.length > 0 ? [each.flat()] : [];
  if (shape !== "interleaved") return each.flat().map((piece) => [piece]);
  const longest = Math.max(0, ...each.map(({ length }) => length));
  return Array.from({ length: longest }, (_, n) => each.flatMap((pieces) => pieces[n] ? [[pieces[n]]] : []))
    .flat();
}
