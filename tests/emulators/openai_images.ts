/** What OpenAI refuses about the pictures in a message, in its words. */
import { Buffer } from "node:buffer";
import type { Refusal, WireMessage, WirePart } from "./openai_requests.ts";

/** The words of a message. */
export const wordsOf = ({ content }: WireMessage): string =>
  typeof content === "string"
    ? content
    : (content ?? []).map((part) => part.type === "text" ? part.text : "").join("");

/** The pictures of a message: kind and file. */
export const imagesOf = (
  { content }: WireMessage,
): { readonly mimeType: string; readonly file: Uint8Array<ArrayBuffer> }[] =>
  (typeof content === "object" ? content ?? [] : []).flatMap((part) => {
    const found = part.type === "image_url" ? dataUrl.exec(part.image_url.url)?.groups : undefined;
    if (!found?.data || found.data.length % 4 !== 0) return [];
    return [{
      mimeType: found.type ?? "",
      file: new Uint8Array(Buffer.from(found.data, "base64")),
    }];
  });

const dataUrl = /^data:(?<type>[\w/+.-]+);base64,(?<data>[A-Za-z0-9+/]+={0,2})$/;
/** What a picture may have, in bytes. */
const mostBytes = 20_000_000;
/** How files begin. */
const formats: Readonly<Record<string, readonly number[]>> = {
  "image/jpeg": [0xff, 0xd8, 0xff],
  "image/png": [0x89, 0x50, 0x4e, 0x47],
  "image/gif": [0x47, 0x49, 0x46],
  "image/webp": [0x52, 0x49, 0x46, 0x46],
};

/** What is wrong with the pieces of a message, if anything is. */
export function refusalOfImages(role: string, parts: readonly WirePart[], at: number): Refusal | undefined {
  const param = `messages[${at}].content`;
  if (parts.length === 0) {
    return {
      message:
        `Invalid '${param}': empty array. Expected an array with minimum length 1, but got an empty array instead.`,
      param,
    };
  }
  const urls = parts.flatMap((part) => part.type === "image_url" ? [part.image_url.url] : []);
  if (urls.length === 0) return undefined;
  if (role !== "user") {
    return {
      message:
        `Invalid 'messages[${at}]'. Image URLs are only allowed for messages with role 'user', but this message with ` +
        `role '${role}' contains an image URL.`,
      param,
    };
  }
  const images = imagesOf({ role, content: parts });
  if (images.length < urls.length) return { message: "Invalid base64 image_url.", param };
  if (images.some(({ file }) => file.length > mostBytes)) {
    return { message: "The image is too large.", param };
  }
  const unknown = images.some(({ mimeType, file }) =>
    !formats[mimeType]?.every((byte, i) => file[i] === byte)
  );
  if (!unknown) return undefined;
  return {
    message:
      "You uploaded an unsupported image. Please make sure your image has of one the following formats: " +
      "['png', 'jpeg', 'gif', 'webp'].",
    param,
  };
}
