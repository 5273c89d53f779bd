/** Speech for tests. */
export { frameMs, isVoiced, loudnessDetector, microphoneFrame } from "../../src/testing/speech.ts";
