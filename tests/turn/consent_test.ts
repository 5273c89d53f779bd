import { assertEquals } from "@std/assert";
import { describe, it } from "@std/testing/bdd";
import { consentIn } from "../../src/turn/consent.ts";
import { turnLanguage } from "../../src/turn/languages.ts";

const cases: [language: string, text: string, agreed: boolean | undefined][] = [
  ["en", "Yes.", true],
  ["en", "Yeah, sure, go ahead!", true],
  ["en", "Yes, please do.", true],
  ["en", "No.", false],
  ["en", "No, thank you.", false],
  ["en", "Okay, stop, don't.", false],
  ["en", "Yes, but make it eleven.", undefined],
  ["en", "No, at eleven.", undefined],
  ["en", "What time was that?", undefined],
  ["en", "", undefined],
  ["de", "Ja, gerne.", true],
  ["de-AT", "Nein, lieber nicht.", false],
  ["es", "Sí, por favor.", true],
  ["es", "No, gracias.", false],
  ["fr", "Oui, bien sûr.", true],
  ["fr", "Non, merci.", false],
];

describe("consentIn()", () => {
  for (const [language, text, agreed] of cases) {
    it(`takes ${JSON.stringify(text)} for ${agreed === undefined ? "something else" : agreed ? "yes" : "no"}`, () => {
      assertEquals(consentIn(turnLanguage(language))(text), agreed);
    });
  }
});
