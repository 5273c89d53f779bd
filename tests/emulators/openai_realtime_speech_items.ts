/** The conversation of an emulated speech-to-speech session, as strict as the real one, and what may be sent to it. */
import * as z from "zod";
import { Refusal, transcription } from "./openai_realtime_session.ts";

const inputText = z.strictObject({ type: z.literal("input_text"), text: z.string() });
const id = z.string().min(1).max(32);
const item = z.union([
  z.strictObject({
    id,
    type: z.literal("message"),
    role: z.literal("user"),
    content: z.array(z.union([
      inputText,
      z.strictObject({
        type: z.literal("input_image"),
        image_url: z.string().regex(/^data:image\/(png|jpeg);base64,/),
      }),
    ])).min(1),
  }),
  z.strictObject({
    id,
    type: z.literal("message"),
    role: z.literal("system"),
    content: z.array(inputText).min(1),
  }),
  z.strictObject({
    id,
    type: z.literal("message"),
    role: z.literal("assistant"),
    content: z.array(z.strictObject({ type: z.literal("output_text"), text: z.string() })).min(1),
  }),
  z.strictObject({
    id,
    type: z.literal("function_call"),
    call_id: z.string(),
    name: z.string().regex(/^[\w-]{1,64}$/),
    arguments: z.string(),
  }),
  z.strictObject({ id, type: z.literal("function_call_output"), call_id: z.string(), output: z.string() }),
]);

const format = z.strictObject({ type: z.literal("audio/pcm"), rate: z.literal(24_000) });
const tool = z.strictObject({
  type: z.literal("function"),
  name: z.string().regex(/^[\w-]{1,64}$/),
  description: z.string(),
  parameters: z.looseObject({ type: z.literal("object") }),
});
const choice = z.union([
  z.enum(["auto", "none", "required"]),
  z.strictObject({ type: z.literal("function"), name: z.string() }),
]);
const event = { event_id: z.string().max(64).optional() };

/** What a client may send. */
export const clientEvent = z.discriminatedUnion("type", [
  z.strictObject({
    ...event,
    type: z.literal("session.update"),
    session: z.strictObject({
      type: z.literal("realtime"),
      output_modalities: z.tuple([z.literal("audio")]),
      audio: z.strictObject({
        input: z.strictObject({
          format,
          transcription,
          turn_detection: z.null(),
        }),
        output: z.strictObject({
          format,
          voice: z.enum([
            "alloy",
            "ash",
            "ballad",
            "coral",
            "echo",
            "sage",
            "shimmer",
            "verse",
            "marin",
            "cedar",
          ]),
          speed: z.number().min(0.25).max(1.5).optional(),
        }),
      }),
    }),
  }),
  z.strictObject({ ...event, type: z.literal("input_audio_buffer.append"), audio: z.base64().min(1) }),
  z.strictObject({ ...event, type: z.literal("input_audio_buffer.commit") }),
  z.strictObject({ ...event, type: z.literal("input_audio_buffer.clear") }),
  z.strictObject({
    ...event,
    type: z.literal("conversation.item.create"),
    previous_item_id: z.string().optional(),
    item,
  }),
  z.strictObject({ ...event, type: z.literal("conversation.item.delete"), item_id: z.string() }),
  z.strictObject({
    ...event,
    type: z.literal("conversation.item.truncate"),
    item_id: z.string(),
    content_index: z.literal(0),
    audio_end_ms: z.int().min(0),
  }),
  z.strictObject({
    ...event,
    type: z.literal("response.create"),
    response: z.strictObject({
      conversation: z.enum(["auto", "none"]),
      instructions: z.string(),
      tools: z.array(tool),
      tool_choice: choice,
      input: z.array(z.strictObject({
        type: z.literal("message"),
        role: z.literal("user"),
        content: z.array(inputText),
      })).optional(),
      metadata: z.record(z.string().max(64), z.string().max(512)),
    }),
  }),
  z.strictObject({ ...event, type: z.literal("response.cancel"), response_id: z.string().optional() }),
]);

export type SpeechMessage = z.infer<typeof clientEvent>;
type GivenItem = z.infer<typeof item>;

/** One item as the server has it. `audioMs`: of what is heard; `text`: in words, whatever it is. */
export interface SpeechItem {
  readonly id: string;
  readonly type: GivenItem["type"];
  readonly role?: "user" | "assistant" | "system";
  readonly callId?: string;
  text: string;
  audioMs?: number;
}

/** The items of one session, in order; what the real server refuses throws a Refusal. */
export function createItems() {
  const items: SpeechItem[] = [];
  const find = (id: string, what: string) => {
    const found = items.find((item) => item.id === id);
    if (found) return found;
    throw new Refusal(`item_${what}_invalid_item_id`, `Item with item_id '${id}' not found.`);
  };
  return {
    items: items as readonly SpeechItem[],
    add: (item: SpeechItem) => void items.push(item),
    create(
      { item, previous_item_id: previous }: Extract<SpeechMessage, { type: "conversation.item.create" }>,
    ) {
      if (items.some(({ id }) => id === item.id)) {
        throw new Refusal("item_create_duplicate_id", `Item '${item.id}' already exists.`);
      }
      const isKnown = items.some(({ type, callId }) =>
        type === "function_call" && "call_id" in item && callId === item.call_id
      );
      if (item.type === "function_call_output" && !isKnown) {
        throw new Refusal(
          "invalid_tool_call_id",
          `Tool call ID '${item.call_id}' not found in conversation.`,
        );
      }
      let at = previous === "root" ? 0 : items.length;
      if (previous !== undefined && previous !== "root") {
        at = items.indexOf(find(previous, "create")) + 1;
      }
      items.splice(at, 0, asItem(item));
    },
    delete: (id: string) => void items.splice(items.indexOf(find(id, "delete")), 1),
    truncate(id: string, ms: number) {
      const item = find(id, "truncate");
      if (item.role !== "assistant" || item.audioMs === undefined) {
        throw new Refusal("invalid_value", "Only model output audio messages can be truncated.");
      }
      if (ms > item.audioMs) {
        throw new Refusal(
          "invalid_value",
          `Audio content of ${Math.floor(item.audioMs)}ms is already shorter than ${ms}ms`,
        );
      }
      item.audioMs = ms;
      item.text = "";
    },
  };
}

function asItem(item: GivenItem): SpeechItem {
  const { id, type } = item;
  if (type === "function_call") return { id, type, callId: item.call_id, text: item.name };
  if (type === "function_call_output") return { id, type, callId: item.call_id, text: item.output };
  const text = item.content.map((part) => "text" in part ? part.text : "(image)").join(" ");
  return { id, type, role: item.role, text };
}
