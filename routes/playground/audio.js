/** The page's ears and voice: microphone and loudspeaker through audio worklets. */

/** Opens the loudspeaker; to be called from a click or a key, or browsers keep it silent. */
export async function openAudio({ microphoneRate, speakerRate, onPlayed }) {
  const context = new AudioContext({ latencyHint: "interactive" });
  await Promise.all([
    context.resume(),
    context.audioWorklet.addModule("/playground/capture_worklet.js"),
    context.audioWorklet.addModule("/playground/playback_worklet.js"),
  ]);
  const speaker = new AudioWorkletNode(context, "playback", {
    numberOfInputs: 0,
    outputChannelCount: [1],
    processorOptions: { wireRate: speakerRate },
  });
  const heard = meter(context);
  speaker.connect(heard.node).connect(context.destination);
  let underruns = 0;
  let position = { epoch: 0, samples: 0 };
  speaker.port.onmessage = ({ data }) => {
    underruns = data.underruns;
    position = { epoch: data.epoch, samples: data.samples };
    onPlayed({ ...position, running: data.running });
  };
  let microphone;
  let opening;
  const openMicrophone = async (onFrame, onLost) => {
    const constraints = {
      channelCount: 1,
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: true,
    };
    const stream = await navigator.mediaDevices.getUserMedia({ audio: constraints });
    if (context.state === "closed") { // the call ended while the user was asked
      for (const track of stream.getTracks()) track.stop();
      return;
    }
    const source = context.createMediaStreamSource(stream);
    const capture = new AudioWorkletNode(context, "capture", {
      processorOptions: { wireRate: microphoneRate },
    });
    const level = meter(context);
    source.connect(level.node).connect(capture).connect(context.destination); // its output is silence
    capture.port.onmessage = ({ data }) => onFrame(data);
    for (const track of stream.getAudioTracks()) track.addEventListener("ended", onLost, { once: true });
    microphone = { stream, level };
  };

  return {
    play: (buffer) => speaker.port.postMessage(buffer, [buffer]),
    clear: (epoch) => speaker.port.postMessage({ epoch }),
    /** Asks for the microphone and hands over 20 ms frames; rejects with what getUserMedia rejects with. */
    listen(onFrame, onLost) {
      opening ??= openMicrophone(onFrame, onLost).catch((error) => {
        opening = undefined;
        throw error;
      });
      return opening;
    },
    /** Silence goes on to be sent while muted: the server hears that nobody speaks. */
    mute(muted) {
      for (const track of microphone?.stream.getAudioTracks() ?? []) track.enabled = !muted;
    },
    get hasMicrophone() {
      return microphone !== undefined;
    },
    get position() {
      return position;
    },
    /** How loud both are now, 0–1, and how often the voice had to wait for the network. */
    levels: () => ({ user: microphone?.level.read() ?? 0, agent: heard.read() }),
    get underruns() {
      return underruns;
    },
    get context() {
      return context;
    },
    async close() {
      for (const track of microphone?.stream.getTracks() ?? []) track.stop();
      if (context.state !== "closed") await context.close();
    },
  };
}

function meter(context) {
  const node = new AnalyserNode(context, { fftSize: 512 });
  const samples = new Float32Array(node.fftSize);
  return {
    node,
    read() {
      node.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
      return Math.min(1, Math.sqrt(power) * 4);
    },
  };
}
