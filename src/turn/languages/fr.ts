/** What tells in French whether somebody has finished. */
import type { TurnLanguage } from "../languages.ts";

/** See TurnLanguage. */
export const fr: TurnLanguage = {
  unfinished: [
    ..."le la les un une des du mon ma mes ton ta votre notre et ou mais parce car si donc euh heu ben alors"
      .split(" "),
    ...[
      "je voudrais",
      "j'aimerais",
      "parce que",
      "c'est-à-dire",
      "par exemple",
      "mon numéro est",
      "je m'appelle",
    ],
  ],
  perhaps: "de à pour avec dans en par sans sur sous chez vers entre que est sont très au aux".split(" "),
  finished: ["c'est ça", "et vous", "et toi", "ça y est"],
  backchannels: [
    ..."mhm mm hm hum ah oh oui ouais ok okay bien bon exactement voilà super parfait".split(" "),
    ...["d'accord", "je vois", "bien sûr", "très bien", "ça marche", "je comprends"],
  ],
  stopWords: [
    ..."stop attends attendez arrête arrêtez non silence assez annule".split(" "),
    ...["un moment", "une seconde", "un instant", "ça suffit", "tais-toi"],
  ],
  agreement: [
    ..."oui ouais d'accord ok okay bien bon parfait exactement certainement volontiers merci mhm allez-y vas-y"
      .split(" "),
    ...["bien sûr", "s'il vous plaît", "s'il te plaît", "c'est ça", "c'est bon", "tout à fait", "très bien"],
    ...["allez y", "vas y", "faites le", "fais le", "d accord"],
  ],
  refusal: [
    ..."non pas jamais stop arrête arrêtez annule annulez attends attendez".split(" "),
    ...["pas maintenant", "surtout pas", "laisse tomber", "laissez tomber", "plutôt pas"],
  ],
  digits: [
    ["zéro"],
    ["un"],
    ["deux"],
    ["trois"],
    ["quatre"],
    ["cinq"],
    ["six"],
    ["sept"],
    ["huit"],
    ["neuf"],
  ],
  days: "aujourd'hui demain après-demain hier lundi mardi mercredi jeudi vendredi samedi dimanche".split(" "),
  months: "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split(" "),
  ordinals:
    /^(?:premier|deux|trois|quatre|cinq|six|sept|huit|neuf|dix|onze|douze|treize|quatorze|quinze|seize|vingt|trente)/,
  at: ["arobase", "at"],
  dot: ["point"],
};
