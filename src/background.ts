/** What is heard behind an agent's voice: the place it speaks from, and that it is thinking. */
import { loadLoop, type SoundSource } from "./audio/sound.ts";
import { asStageError, ConfigError, messageOf, type StageError } from "./errors.ts";
import type { AgentState, Background, BackgroundLayer } from "./room/room.ts";

/** A sound that is repeated. `volume`: 0–1, where 1 (the default) leaves it as loud as it is. */
export type BackgroundSound = SoundSource & { readonly volume?: number };

/** What is heard behind the agent's voice; both are turned down while it speaks. */
export interface BackgroundAudio {
  /** All the time, such as the noise of an office. */
  readonly ambience?: BackgroundSound;
  /** While the agent thinks about its answer, such as typing. */
  readonly thinking?: BackgroundSound;
}

/** How long the sounds take to fade in and out. */
const fadeMs = { ambience: 500, thinking: 200 } as const;

const kinds = ["ambience", "thinking"] as const;

/** What is wrong with an agent's background audio, if anything is. */
export function problemOfBackground(audio: BackgroundAudio = {}): string | undefined {
  for (const kind of kinds) {
    const sound = audio[kind];
    if (!sound) continue;
    const { volume = 1 } = sound;
    if (!(volume >= 0 && volume <= 1)) return `backgroundAudio.${kind}.volume is ${volume}; expected 0 to 1`;
    if ("samples" in sound ? sound.samples.length === 0 || !(sound.sampleRate > 0) : !sound.file) {
      return `backgroundAudio.${kind} has no sound; expected a \`file\`, or \`samples\` with their \`sampleRate\``;
    }
  }
  return undefined;
}

/** Reads the sounds of `agents`, so that no call waits for it. Rejects with a ConfigError that names the agent. */
export async function preloadBackgrounds(
  agents: Readonly<Record<string, { readonly backgroundAudio?: BackgroundAudio }>>,
  sampleRate: number,
): Promise<void> {
  for (const [name, { backgroundAudio = {} }] of Object.entries(agents)) {
    for (const kind of kinds) {
      const sound = backgroundAudio[kind];
      if (!sound) continue;
      await loadLoop(sound, sampleRate).catch((error) => {
        throw new ConfigError(`The agent ${JSON.stringify(name)}, ${kind}: ${messageOf(error)}`);
      });
    }
  }
}

/** The background of one call; it ends with the room's. */
export interface CallBackground {
  /** Tells what the agent is doing now. */
  show(state: AgentState): void;
}

/** Plays `audio` in `background`. A sound that cannot be played is told to `onError`, and missing. */
export function playBackground(
  background: Background,
  audio: BackgroundAudio,
  { onError }: { readonly onError: (error: StageError) => void },
): CallBackground {
  let state: AgentState | undefined;
  let thinking: BackgroundLayer | undefined;
  const add = async (kind: typeof kinds[number]) => {
    const sound = audio[kind];
    if (!sound) return undefined;
    try {
      const samples = await loadLoop(sound, background.format.sampleRate);
      return background.layer(samples, { volume: sound.volume ?? 1, fadeMs: fadeMs[kind] });
    } catch (error) {
      onError(asStageError("agent", error));
      return undefined;
    }
  };
  const follow = () => {
    if (state === "thinking") thinking?.start();
    else thinking?.stop();
  };
  void (async () => {
    const [ambience, sound] = [await add("ambience"), await add("thinking")];
    ambience?.start();
    thinking = sound;
    follow();
  })();
  return {
    show(next) {
      state = next;
      follow();
    },
  };
}
