/** What tells in Spanish whether somebody has finished. */
import type { TurnLanguage } from "../languages.ts";

/** See TurnLanguage. */
export const es: TurnLanguage = {
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
