/** What the agent speaks with in a LiveKit room: a source that is fed, and the track that it is heard on. */
import { AudioSource, LocalAudioTrack } from "@livekit/rtc-node";

export interface Voice {
  readonly source: AudioSource;
  readonly track: LocalAudioTrack;
}

/** What LiveKit's own agents call the track of their voice. */
const TRACK_NAME = "roomio_audio";
const SAMPLE_RATE = 24_000;
/** The most the native source holds, milliseconds; the speaker stays well below it. */
const SOURCE_QUEUE_MS = 1000;

/**
 * Voices that were once in a room which the server closed. The native client cannot take a track out of a connection that is
 * gone, and keeps it, with the thread that feeds it, for good (https://github.com/livekit/rust-sdks/issues/1443): so they
 * go from call to call.
 */
const stranded = new Set<Voice>();
const free: Voice[] = [];

/** A voice for one room, to be given back. */
export function takeVoice(): Voice {
  const voice = free.pop();
  voice?.source.clearQueue();
  return voice ?? createVoice();
}

/** Gives back a voice whose room was left; `isStranded`: it could not be taken out of it. */
export async function giveBackVoice(voice: Voice, { isStranded = false } = {}): Promise<void> {
  if (isStranded) stranded.add(voice);
  if (stranded.has(voice)) free.push(voice);
  else await voice.track.close(); // and its source
}

function createVoice(): Voice {
  const source = new AudioSource(SAMPLE_RATE, 1, SOURCE_QUEUE_MS);
  return { source, track: LocalAudioTrack.createAudioTrack(TRACK_NAME, source) };
}
