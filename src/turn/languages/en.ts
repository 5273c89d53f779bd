/** What tells in English whether somebody has finished. */
import type { TurnLanguage } from "../languages.ts";

/** See TurnLanguage. */
export const en: TurnLanguage = {
  unfinished: [
    ..."a an the my your our their and or but because if although while whether which plus".split(" "),
    ..."i'm i'd i'll i've it's that's there's we're we'd we'll we've they're you're let's what's".split(" "),
    ..."um umm uh uhm er erm so well very every".split(" "),
    ...["kind of", "sort of", "such as", "you know", "i mean", "let me see", "let me think", "so that"],
    ...["i would like", "i'd like", "i want to", "i need to", "i'd like to", "i would like to", "going to"],
  ],
  perhaps: [
    ..."of to for with from at by into about between than as like in on until without during near".split(" "),
    ..."through over under per i we they is are was were am will would could should can".split(" "),
    ...["i want", "i need", "for example"],
  ],
  finished: [
    ...[
      "i think so",
      "i hope so",
      "i guess so",
      "i believe so",
      "i'm afraid so",
      "do so",
      "or so",
      "even so",
    ],
    ...["as well", "very well", "doing well", "come in", "log in", "sign in", "go on", "hold on", "come on"],
    ...["i can", "yes i am", "i will", "i would", "so do i", "so am i", "you and i", "yes we are", "it is"],
    ...["yes we can", "i do like", "what for", "i'd like that", "yes there is", "they are", "what it is"],
  ],
  backchannels: [
    ..."mhm mm mmm mm-hmm mmhmm hm hmm uh-huh uhhuh yeah yea yep yup yes okay ok right sure alright".split(
      " ",
    ),
    ..."oh ah aha wow really cool nice great good exactly true interesting um uh huh".split(" "),
    ...["uh huh", "mm hmm", "i see", "got it", "all right", "of course", "i understand", "makes sense"],
  ],
  stopWords: [
    ..."stop wait no nope cancel pause quiet enough".split(" "),
    ...[
      "hold on",
      "hang on",
      "shut up",
      "be quiet",
      "never mind",
      "one moment",
      "just a second",
      "one second",
    ],
  ],
  agreement: [
    ..."yes yeah yea yep yup ok okay sure right alright correct fine good great perfect exactly please do"
      .split(" "),
    ..."absolutely definitely certainly confirmed mhm mm-hmm uh-huh thanks then now".split(" "),
    ...[
      "all right",
      "of course",
      "go ahead",
      "go for it",
      "do it",
      "do that",
      "that is",
      "that's",
      "it is",
      "it's",
    ],
    ...[
      "sounds good",
      "by all means",
      "i agree",
      "i do",
      "i am",
      "i'm sure",
      "you can",
      "you may",
      "thank you",
    ],
    ...["that works", "for me", "works for me", "uh huh", "mm hmm", "why not"],
  ],
  refusal: [
    ..."no nope nah not don't stop cancel wait never".split(" "),
    ...["do not", "never mind", "forget it", "rather not", "not now", "hold on", "i don't", "leave it"],
  ],
  digits: [
    ["zero", "oh", "o"],
    ["one"],
    ["two"],
    ["three"],
    ["four"],
    ["five"],
    ["six"],
    ["seven"],
    ["eight"],
    ["nine"],
  ],
  days: "today tomorrow yesterday monday tuesday wednesday thursday friday saturday sunday".split(" "),
  months: "january february march april may june july august september october november december".split(" "),
  ordinals:
    /^(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|ten|eleven|twel|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twent|thirt)/,
  at: ["at"],
  dot: ["dot"],
};
