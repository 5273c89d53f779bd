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
 * Voices of rooms that the server closed. The native client cannot take a track out of a connection that is gone, and then
 * the track and its publication keep each other, and the thread that feeds them, for good
 * (https://github.com/livekit/rust-sdks/issues/1443): unless the track is published again, which parts them.
 */
const stranded: Voice[] = [];

/** A voice for one room, to be given back. */
export function takeVoice(): Voice {
  const voice = stranded.pop();
  if (voice) {
    voice.source.clearQueue();
    return voice;
  }
  const source = new AudioSource(SAMPLE_RATE, 1, SOURCE_QUEUE_MS);
  return { source, track: LocalAudioTrack.createAudioTrack(TRACK_NAME, source) };
}

/** Frees a voice whose room was left; keeps it for the next room when it was the server that closed the room. */
export async function giveBackVoice(voice: Voice, { closedByServer }: {
  readonly closedByServer: boolean;
}): Promise<void> {
  if (closedByServer) stranded.push(voice);
  else await voice.track.close(); // and its source
}
