/** Images in a history: the newest are kept, and the model is told of the others. */
import type { HistoryItem } from "../history.ts";
import type { ImagePart, Message } from "../llm/llm.ts";

/** What of an item the model is told and shown. */
export type Told = Pick<Extract<Message, { readonly role: "tool" }>, "content" | "images">;

/** Empties all images in `items` but the newest `kept`; the items stay the same objects. */
export function forgetImages(items: readonly HistoryItem[], kept: number): void {
  let left = kept;
  for (const item of items.toReversed()) {
    if (item.type === "tool-call" || !item.images) continue;
    const images = item.images as ImagePart[]; // the history's own
    for (let at = images.length - 1; at >= 0; at--) {
      const image = images[at];
      if (image && image.data !== "" && --left < 0) images[at] = { ...image, data: "" };
    }
  }
}

/** `text` with those of its `images` that are kept, and a word of those that are not. */
export function told(text: string, images: readonly ImagePart[] = []): Told {
  const kept = images.filter(({ data }) => data !== "");
  const gone = images.length - kept.length;
  const word = gone === 1 ? "A picture was" : `${gone} pictures were`;
  return {
    content: gone === 0 ? text : `${text}\n(${word} shown here, and cannot be seen any more.)`,
    ...(kept.length > 0 && { images: kept }),
  };
}
