/** E-mail addresses, the names of sites, phone numbers, and what else is spelled. */
import { cardinal, digitGroups, digits } from "./numbers.ts";
import { END, type Rule, rule, START } from "./rule.ts";

const signs: Readonly<Record<string, string>> = {
  ".": "dot",
  "@": "at",
  "_": "underscore",
  "-": "dash",
  "+": "plus",
};

/** "a.b2@c.org" → "a dot b two at c dot org". */
function spelled(address: string): string {
  return (address.match(/[.@_+-]|\d+|[^.@_+\d-]+/g) ?? [])
    .map((part) => signs[part] ?? (/^\d/.test(part) ? digits(part) : part))
    .join(" ");
}

const emails = rule(
  /(?<![\p{L}\p{N}._%+-])(?<address>[\p{L}\p{N}._%+-]{1,64}@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+)/gu,
  ({ address = "" }) => spelled(address),
);

const TOP_LEVEL = "com|org|net|edu|gov|io|ai|dev|app|info|biz|co|me|tv|us|uk|de|fr|eu|ca|au|in";

/** The name of a site with or without what leads to a page of it: only the name is said. */
const sites = rule(
  new RegExp(
    String
      .raw`(?<![\p{L}\p{N}@._/-])(?:www\.)?(?<host>(?:[a-z0-9-]{1,63}\.){1,5}(?:${TOP_LEVEL}))(?![\p{L}\p{N}@_-]|\.\p{L})` +
      String.raw`(?:[/?#][^\s,;!)]*[^\s.,;:!?)])?/?`,
    "giu",
  ),
  ({ host = "" }) => host.split(".").join(" dot "),
);

const phones = rule(
  new RegExp(
    String.raw`(?<![\p{L}\p{N}_.]|\d[-,/:–—])(?:` + [
      String.raw`\+\d{1,3}(?:[\s.-]?\(?\d{1,5}\)?){2,5}`, // +44 20 7946 0958
      String.raw`(?:1[\s.-])?\(\d{3}\)\s?\d{3}[\s.-]\d{4}`, // (555) 123-4567
      String.raw`(?:1[\s.-])?\d{3}(?<gap>[.-])\d{3}\k<gap>\d{4}`, // 1-800-555-1234
      String.raw`\d{3}\s\d{3}\s\d{4}`,
      String.raw`\d{3}-\d{4}`,
      String.raw`\d{4}(?:[\s-]\d{4}){2,4}`, // a card
      String.raw`\d{10,}`,
      String.raw`0\d+(?:[\s-]\d{2,})*(?!\.\d)`, // what begins with a zero counts nothing
    ].map((form) => `(?:${form})`).join("|") + String.raw`)(?![\p{L}\p{N}_]|[-/:]\d)`,
    "gu",
  ),
  (_, { text, from, to }) => digitGroups(text.slice(from, to)),
);

/** What is numbered; those of the second kind are also counted, or done a number of times. */
const NAMED = "code|pin|otp|password|passcode|confirmation|extension|ext\\.?|zip";
const COUNTED = "account|reference|tracking|order|booking|ticket|room|flight|call|dial|text";
const emergency = /^(?:911|112|999|988|[1-8]11)$/;

/** Numbers that name and do not count: "your code is 482913", "order #5512". */
const codes = rule(
  new RegExp(
    String.raw`\b(?:${NAMED}|(?<counted>${COUNTED}))(?<marked>(?:\s(?:code|number|no\.|is)|[:#]|\s#)*)\s?` +
      String.raw`(?<figures>\d{3,}(?:-\d{3,})*)${END}`,
    "giu",
  ),
  ({ counted, marked, figures = "" }, { text, from, to }) => {
    if (counted && !marked && figures.length < 5 && !emergency.test(figures)) return undefined;
    const name = text.slice(from, to - figures.length).replace(/\s?#\s?/, " number ");
    return name + digitGroups(figures);
  },
);

/** 192.168.0.1, version 1.2.3. */
const dotted = rule(
  new RegExp(String.raw`${START}(?<figures>\d{1,5}(?:\.\d{1,5}){2,})${END}`, "gu"),
  ({ figures = "" }) => figures.split(".").map(cardinal).join(" dot "),
);

/** In the order in which they are applied. */
export const contacts: readonly Rule[] = [emails, sites, codes, phones, dotted];
