/** Whether somebody agrees to what they were asked. */
import type { TurnLanguage } from "./languages.ts";
import { phrases } from "./phrases.ts";

/**
 * By the words of `language`: true or false only when nothing else is said ("yes, please", "no, thanks"); undefined for
 * whatever has more in it ("yes, but at eleven"), which is for the model to understand.
 */
export function consentIn(
  { agreement, refusal }: Pick<TurnLanguage, "agreement" | "refusal">,
): (text: string) => boolean | undefined {
  const agreed = phrases(agreement);
  const refused = phrases(refusal);
  const either = phrases([...agreement, ...refusal]);
  return (text) => {
    if (agreed.isAll(text)) return true;
    return either.isAll(text) && refused.isIn(text) ? false : undefined;
  };
}
