/** Models that hear and speak by themselves: one of them takes the place of recognizer, language model and voice. */
import type { LanguageModel } from "../llm/llm.ts";
import type { SpeechToText } from "../stt/stt.ts";
import type { TextToSpeech } from "../tts/tts.ts";

/** What an agent hears, thinks and speaks with. */
export interface SpeechStages {
  /** Tells what the user has said, for the transcript and the history, and when they have. */
  readonly stt: SpeechToText;
  /** Answers the voice itself. */
  readonly llm: LanguageModel;
  /** Says the model's answers as the model has spoken them, and other words with its voice. */
  readonly tts: TextToSpeech;
}

/** A model that is spoken to and speaks. */
export interface SpeechToSpeech {
  readonly provider: string;
  readonly model: string;
  /**
   * For one session: three stages that share one connection, which is open for as long as one of them is at work, or the
   * voice is connected. When it is lost the next that needs it makes another, and the model is told the conversation again.
   */
  stages(): SpeechStages;
}
