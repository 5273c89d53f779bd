import type { LanguageModel } from "./llm/llm.ts";
import type { SpeechToText } from "./stt/stt.ts";
import type { SpareVoice } from "./tts/spare.ts";
import type { TextToSpeech } from "./tts/tts.ts";
import type { AudioTurnDetector } from "./turn/end_of_turn.ts";
import type { VoiceActivityDetector } from "./vad/vad.ts";

/** What an agent hears, thinks and speaks with. */
export interface Providers {
  readonly vad: VoiceActivityDetector;
  readonly stt: SpeechToText;
  readonly llm: LanguageModel;
  readonly tts: TextToSpeech;
  /** Says the apology (default: `tts`). */
  readonly spare?: SpareVoice;
  /** Judges by the sound of a pause whether the turn is over. */
  readonly turnDetector?: AudioTurnDetector;
  /** Writes summaries of what `llm` is not told any more, where that is another. */
  readonly summarizer?: LanguageModel;
}
