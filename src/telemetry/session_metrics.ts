/** What sessions come to: calls, turns, where the time went, failures and usage. */
import type { Registry } from "prom-client";
import type { Clock } from "../clock.ts";
import type { ReplyLatency, SessionEvent, Usage } from "../events.ts";
import type { VoiceSession } from "../voice_session.ts";
import { atMost, counter, gauge, histogram } from "./prometheus.ts";

/** Seconds: from an answer that was ready to one that nobody waits for. */
const latencyBuckets = [0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10];
const durationBuckets = [5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200];

const stages = {
  endpointingMs: "endpointing",
  heldMs: "held",
  sttMs: "stt",
  llmMs: "llm",
  clauseMs: "clause",
  ttsMs: "tts",
  playoutMs: "playout",
  totalMs: "total",
} as const satisfies Record<keyof ReplyLatency, string>;

/** Registers the metrics, and returns what counts a session, of an agent of the registry, from now on to its end. */
export function countSessions(
  registry: Registry,
  clock: Clock,
): (session: VoiceSession, facts: { readonly agent: string }) => void {
  const count = <Label extends string>(name: string, help: string, ...labels: Label[]) =>
    counter(registry, name, help, labels);
  const running = gauge(registry, "sessions", "Calls that there are.", ["agent"]);
  const started = count("sessions_started", "Calls that have begun.", "agent");
  const ended = count("sessions_ended", "Calls that have ended.", "agent", "reason");
  const lasted = histogram(
    registry,
    "session_duration_seconds",
    "How long calls lasted.",
    ["agent"],
    durationBuckets,
  );
  const turns = count("turns", "Turns of users, by how they ended.", "agent", "outcome");
  const latency = histogram(
    registry,
    "reply_latency_seconds",
    "Where the time of an answer went: endpointing, held, llm, clause, tts and playout follow each other and sum to the total; stt is within endpointing.",
    ["agent", "stage"],
    latencyBuckets,
  );
  const cut = count("interruptions", "Replies that were cut off.", "agent");
  const paused = count("false_interruptions", "Replies that were paused for a noise, and went on.", "agent");
  const gaps = histogram(
    registry,
    "speech_gap_seconds",
    "Silences inside replies.",
    ["agent"],
    latencyBuckets,
  );
  const stalls = count(
    "stalls",
    "What got no further and was ended, by the stage that it stood at.",
    "stage",
  );
  const replaced = count("voice_replaced", "Apologies that the agent's voice did not say itself.", "by");
  const lost = count("microphone_dropped_seconds", "Audio of users that nobody took in in time.", "agent");
  const errors = count("errors", "Failures of a stage.", "stage", "provider");
  const use = countUsage(registry);
  const bound = atMost(100);

  const note = (event: SessionEvent, agent: string) => {
    switch (event.type) {
      case "agent-started-speaking":
        for (const [key, stage] of Object.entries(stages)) {
          const ms = event.latency[key as keyof ReplyLatency];
          if (ms !== undefined) latency.observe({ agent, stage }, ms / 1000);
        }
        return;
      case "agent-speech-committed":
        if (event.interrupted) cut.inc({ agent });
        return;
      case "false-interruption":
        return paused.inc({ agent });
      case "speech-gap":
        return gaps.observe({ agent }, event.gap.ms / 1000);
      case "stall-recovered":
        return stalls.inc({ stage: event.stage });
      case "voice-replaced":
        return replaced.inc({ by: event.by });
      case "microphone-dropped":
        return lost.inc({ agent }, event.ms / 1000);
      case "turn-ended":
        return turns.inc({ agent, outcome: event.outcome });
      case "usage":
        return use(event.usage);
      case "error": {
        const provider = bound("provider", event.provider ?? "none");
        return errors.inc({ stage: event.error.stage, provider });
      }
    }
  };

  const follow = async (session: VoiceSession, agent: string) => {
    const sinceMs = clock.now();
    started.inc({ agent });
    running.inc({ agent });
    try {
      for await (const event of session.events()) note(event, agent);
    } finally {
      const reason = await session.done;
      running.dec({ agent });
      ended.inc({ agent, reason });
      lasted.observe({ agent }, (clock.now() - sinceMs) / 1000);
    }
  };
  // The stream of a session's events ends and does not fail; were it to, that would be counted as the call's end.
  return (session, { agent }) => void follow(session, agent).catch(() => {});
}

/** What is used of providers, as they count it themselves. */
function countUsage(registry: Registry): (usage: Usage) => void {
  const of = ["provider", "model"] as const;
  const heard = counter(registry, "stt_audio_seconds", "Audio that was sent to recognizers.", of);
  const requests = counter(registry, "llm_requests", "Requests to models.", [...of, "counted"]);
  const tokens = counter(registry, "llm_tokens", "Tokens, as the providers count them.", [
    ...of,
    "direction",
  ]);
  const characters = counter(registry, "tts_characters", "Characters that were sent to voices.", of);
  const spoken = counter(registry, "tts_audio_seconds", "Audio that came from voices.", of);
  const cost = counter(registry, "cost_usd", "What was used, in US dollars, by the table of prices.", of);
  const unpriced = counter(registry, "unpriced_usage", "What was used of models that have no price.", of);
  const bound = atMost(100);
  return (usage) => {
    const provider = bound("provider", usage.provider);
    const model = bound("model", usage.model);
    if (usage.costUsd === undefined) unpriced.inc({ provider, model });
    else cost.inc({ provider, model }, usage.costUsd);
    switch (usage.stage) {
      case "stt":
        return heard.inc({ provider, model }, usage.audioMs / 1000);
      case "llm":
        requests.inc({ provider, model, counted: usage.uncounted ? "no" : "yes" });
        tokens.inc({ provider, model, direction: "input" }, usage.inputTokens);
        return tokens.inc({ provider, model, direction: "output" }, usage.outputTokens);
      case "tts":
        characters.inc({ provider, model }, usage.characters);
        return spoken.inc({ provider, model }, usage.audioMs / 1000);
    }
  };
}
