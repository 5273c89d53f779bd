/**
 * What tells in a language whether somebody has finished, wants to interrupt, or only listens. All in lower case, without
 * punctuation but for the apostrophes inside words; an entry may be several words.
 */
export interface TurnLanguage {
  /** More is sure to come after these: conjunctions, articles, hesitation. */
  readonly unfinished: readonly string[];
  /** More will probably come after these, which now and then end a sentence: prepositions. */
  readonly perhaps: readonly string[];
  /** Ends of sentences that look unfinished by their last word. */
  readonly finished: readonly string[];
  /** What listeners say; it does not interrupt. */
  readonly backchannels: readonly string[];
  /** What interrupts, however short. */
  readonly stopWords: readonly string[];
  /** What agrees to a question, and what goes with that. */
  readonly agreement: readonly string[];
  /** What declines, whatever else of these is said with it. */
  readonly refusal: readonly string[];
  /** The digits from zero to nine, each with its other names. */
  readonly digits: readonly (readonly string[])[];
  /** What a day is called by itself, the months, and numbers as they stand beside a month (the start of one is enough). */
  readonly days: readonly string[];
  readonly months: readonly string[];
  readonly ordinals: RegExp;
  /** How "@" and "." are said in an address. */
  readonly at: readonly string[];
  readonly dot: readonly string[];
}

const en: TurnLanguage = {
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

const de: TurnLanguage = {
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

const es: TurnLanguage = {
  unfinished: [
    ..."el la los las un una unos unas mi tu su y e o u pero porque que si aunque cuando eh em este pues"
      .split(" "),
    ...["me gustaría", "quisiera", "o sea", "es decir", "por ejemplo", "mi número es", "mi nombre es"],
  ],
  perhaps: "de a para con en por sin sobre hasta desde entre como es son muy del al".split(" "),
  finished: ["creo que sí", "eso es", "claro que sí", "así es"],
  backchannels: [
    ..."mhm mm ajá aja ah oh sí si vale ok okay claro bueno bien perfecto exacto ya".split(" "),
    ...["de acuerdo", "está bien", "por supuesto", "entiendo", "muy bien"],
  ],
  stopWords: [
    ..."para alto espera espere no basta detente cállate silencio cancela".split(" "),
    ...["un momento", "un segundo", "ya basta"],
  ],
  agreement: [
    ..."sí si vale claro bueno bien correcto exacto perfecto adelante gracias seguro ok okay mhm".split(" "),
    ...["por favor", "de acuerdo", "está bien", "desde luego", "por supuesto", "hazlo", "hágalo", "así es"],
  ],
  refusal: [
    ..."no nunca cancela cancelar espera para alto".split(" "),
    ...["mejor no", "déjalo", "déjelo", "olvídalo", "olvídelo", "ahora no"],
  ],
  digits: [
    ["cero"],
    ["uno", "una"],
    ["dos"],
    ["tres"],
    ["cuatro"],
    ["cinco"],
    ["seis"],
    ["siete"],
    ["ocho"],
    ["nueve"],
  ],
  days: "hoy mañana ayer lunes martes miércoles jueves viernes sábado domingo".split(" "),
  months: "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split(
    " ",
  ),
  ordinals:
    /^(?:primero|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|trece|catorce|quince|dieci|veint|treinta)/,
  at: ["arroba"],
  dot: ["punto"],
};

const fr: TurnLanguage = {
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

/** What is said everywhere; all that is known of other languages. */
const others: TurnLanguage = {
  unfinished: ["um", "uh", "er", "eh", "euh"],
  perhaps: [],
  finished: [],
  backchannels: ["mhm", "mm", "mmm", "hm", "hmm", "mm-hmm", "aha", "ah", "oh", "ok", "okay"],
  stopWords: ["stop"],
  agreement: ["ok", "okay"],
  refusal: ["stop"],
  digits: [],
  days: [],
  months: [],
  ordinals: /^\d/,
  at: ["at"],
  dot: ["dot"],
};

const languages: Readonly<Record<string, TurnLanguage>> = { en, de, es, fr };

/** The table of a language (BCP 47; English when none is named); of one that has none, what is said everywhere. */
export function turnLanguage(language = "en"): TurnLanguage {
  return languages[language.toLowerCase().replace(/[-_].*/, "")] ?? others;
}
