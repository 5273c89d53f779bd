/** The public API: all that an agent file imports. */
export { defineAgent } from "./agent.ts";
export { turnLanguage } from "./turn/languages.ts";
export type { TurnLanguage } from "./turn/languages.ts";
export type { AudioTurnDetector } from "./turn/end_of_turn.ts";
export type {
  Agent,
  AgentContext,
  AgentDefinition,
  AwayOptions,
  EndpointingOptions,
  InterruptionOptions,
  TurnDetection,
} from "./agent.ts";
export type {
  GenerateReplyOptions,
  RpcOptions,
  SayOptions,
  SpeechHandle,
  SpeechPriority,
  SpeechResult,
  VoiceSession,
} from "./voice_session.ts";
export type { AudioFormat, AudioFrame } from "./audio/frame.ts";
export type { BackgroundAudio, BackgroundSound } from "./background.ts";
export { collectDate, collectDigits, collectEmail, collectName, collectPhoneNumber } from "./collect.ts";
export { ConfigError, StageError, TaskError } from "./errors.ts";
export type { Stage } from "./errors.ts";
export type {
  CloseReason,
  ReplyLatency,
  SessionEvent,
  SessionEventOf,
  SpeechGap,
  TurnOutcome,
  Usage,
} from "./events.ts";
export type { EventHandlers } from "./handlers.ts";
export { handoff } from "./handoff.ts";
export type { Handoff } from "./handoff.ts";
export type { HistoryItem, MessageItem, ToolCallItem, ToolResultItem } from "./history.ts";
export type { HistoryOptions, SummaryOptions } from "./history/options.ts";
export { exportHistory, importHistory } from "./history/transfer.ts";
export type { GivenItem, HistoryUpdate } from "./history/update.ts";
export type {
  ImagePart,
  LanguageEvent,
  LanguageModel,
  LanguageRequest,
  Message,
  ToolCall,
  ToolChoice,
  ToolSpec,
} from "./llm/llm.ts";
export { aiSdkLanguageModel } from "./llm/ai_sdk.ts";
export type { AiSdkSettings } from "./llm/ai_sdk.ts";
export { fallbackLanguageModel } from "./llm/fallback.ts";
export { raceLanguageModels } from "./llm/race.ts";
export { createLog } from "./log.ts";
export type { Log } from "./log.ts";
export type {
  LanguageModelRace,
  LanguageModelSpec,
  SpeechToSpeechSpec,
  SpeechToTextSpec,
  TextToSpeechSpec,
} from "./model_specs.ts";
export { openaiRealtime } from "./realtime/openai.ts";
export type { OpenAIRealtimeOptions } from "./realtime/openai.ts";
export type { SpeechStages, SpeechToSpeech } from "./realtime/realtime.ts";
export type {
  AgentState,
  Participant,
  ParticipantVoice,
  Room,
  RoomVideo,
  VideoFrame,
  VideoSource,
} from "./room/room.ts";
export type { Expectation } from "./turn/expectation.ts";
export { fallbackSpeechToText } from "./stt/fallback.ts";
export type { SpeechInput, SpeechToText, TranscriptEvent } from "./stt/stt.ts";
export { task } from "./task.ts";
export type { Task, TaskDefinition } from "./task.ts";
export type { TextTransform } from "./text/spoken_form.ts";
export { tool } from "./tool.ts";
export type { Tool, ToolContext, ToolDefinition, ToolEffect, ToolSet } from "./tool.ts";
export { clientTool } from "./tools/client.ts";
export type { ClientToolDefinition } from "./tools/client.ts";
export type { McpHttpServer, McpOptions, McpProcess, McpServer, McpTool } from "./tools/mcp.ts";
export type { ToolOutcome, ToolResult } from "./tools/result.ts";
export { fallbackTextToSpeech } from "./tts/fallback.ts";
export type { SpeechEvent, TextToSpeech } from "./tts/tts.ts";
export type { Said, Speaker } from "./turn/state.ts";
export type { VoiceActivityDetector, VoiceEvent, VoiceOptions } from "./vad/vad.ts";
export { lookTool } from "./vision/look.ts";
export type { VideoOptions } from "./vision/options.ts";
export type { LookOptions } from "./vision/sight.ts";
