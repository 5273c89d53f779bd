/** The browser's own speech recognition, for a server that has none. */

const Recognition = globalThis.SpeechRecognition ?? globalThis.webkitSpeechRecognition;

export const canRecognize = Recognition !== undefined;

/** Whose service hears the user. */
export function recognitionService() {
  const brands = navigator.userAgentData?.brands?.map(({ brand }) => brand).join(" ") ?? navigator.userAgent;
  if (/Edg/.test(brands)) return "Microsoft’s, through Edge";
  if (/Chrom/.test(brands)) return "Google’s, through Chrome";
  if (/Safari/.test(brands)) return "Apple’s, through Safari";
  return "this browser’s";
}

/** Recognizes until stopped; `onText(text, final)` has each result, `onError(words)` what keeps it from working. */
export function createRecognition({ onText, onError }) {
  const recognition = new Recognition();
  recognition.continuous = true;
  recognition.interimResults = true;
  recognition.lang = navigator.language;
  let wanted = false;
  let runs = false;

  const update = () => {
    if (wanted && !runs) {
      runs = true;
      recognition.start();
    } else if (!wanted && runs) recognition.abort();
  };
  recognition.addEventListener("result", ({ resultIndex, results }) => {
    if (!wanted) return;
    for (const result of [...results].slice(resultIndex)) {
      const text = result[0].transcript.trim();
      if (text) onText(text, result.isFinal);
    }
  });
  recognition.addEventListener("end", () => {
    runs = false;
    update(); // browsers end it after a silence or a minute
  });
  recognition.addEventListener("error", ({ error }) => {
    if (error === "no-speech" || error === "aborted") return;
    wanted = false;
    onError(
      error === "network"
        ? "The browser’s speech recognition cannot reach its service. You can type."
        : "The browser’s speech recognition does not work here. You can type.",
    );
  });
  return {
    /** Whether it should hear now: not while muted, and not while the agent speaks. */
    hear(now) {
      wanted = now;
      update();
    },
  };
}
