/** What tells in German whether somebody has finished. */
import type { TurnLanguage } from "../languages.ts";

/** See TurnLanguage. */
export const de: TurnLanguage = {
  unfinished: [
    ..."der die das den dem ein eine einen einem einer mein meine und oder aber weil dass ob wenn denn".split(
      " ",
    ),
    ..."äh ähm öh hm also sehr zum zur im am beim ich wir".split(" "),
    ...["ich möchte", "ich hätte gern", "ich würde gern", "das heißt", "zum beispiel", "sagen wir"],
  ],
  perhaps: "von für bei nach aus in auf über unter durch ohne gegen bis seit als wie ist sind war".split(" "),
  finished: ["ja ich", "nur ich", "nein danke", "und wie", "nach wie vor"],
  backchannels: [
    ..."mhm mm hm hmm aha ach ja jaja jo okay ok genau gut schön stimmt richtig klar super toll".split(" "),
    ...["alles klar", "na gut", "ach so", "verstehe", "ich verstehe", "in ordnung"],
  ],
  stopWords: [
    ..."stopp stop halt warte warten nein nee moment ruhe genug abbrechen".split(" "),
    ...["moment mal", "einen moment", "hör auf", "sei still", "warte mal"],
  ],
  agreement: [
    ..."ja jaja jo jawohl okay ok gut gerne gern klar genau richtig stimmt sicher natürlich bitte mhm danke dann"
      .split(" "),
    ..."passt einverstanden perfekt".split(" "),
    ...[
      "alles klar",
      "in ordnung",
      "mach das",
      "machen sie das",
      "tun sie das",
      "auf jeden fall",
      "das passt",
    ],
  ],
  refusal: [
    ..."nein nee nö nicht stopp stop halt abbrechen".split(" "),
    ...["lieber nicht", "lass das", "lassen sie das", "doch nicht", "bloß nicht", "vergiss es"],
  ],
  digits: [
    ["null"],
    ["eins", "ein"],
    ["zwei", "zwo"],
    ["drei"],
    ["vier"],
    ["fünf"],
    ["sechs"],
    ["sieben"],
    ["acht"],
    ["neun"],
  ],
  days:
    "heute morgen übermorgen gestern montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag"
      .split(" "),
  months: "januar jänner februar märz april mai juni juli august september oktober november dezember".split(
    " ",
  ),
  ordinals: /^(?:erst|zwei|dritt|drei|vier|fünf|sech|sieb|acht|neun|zehn|elf|zwölf|zwanzig|einund)/,
  at: ["at", "ät", "klammeraffe"],
  dot: ["punkt", "dot"],
};
