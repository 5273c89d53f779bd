/** Takes out of a reply what is not to be read aloud: markup, code, emoji, addresses. */
import type { Clause } from "./clauses.ts";

/** What spans clauses. */
interface Position {
  /** The next character begins a line. */
  lineStart: boolean;
  /** Inside a block of code; what opened it also closes it. */
  fence: string | undefined;
  /** Inside `code`. */
  code: boolean;
  /** Inside the address of a link, up to its bracket. */
  address: boolean;
  /** Inside a tag or a comment: what is to come before it ends. */
  tag: "'" | '"' | ">" | "-->" | undefined;
  /** In a row of a table. */
  table: boolean;
}

const FENCE = /^\s*(```|~~~)/;
/** A line across, under a heading, or under the head of a table. */
const RULE = /^\s*(?=\S*[-=*_]{3}|\|)[-=*_|: ]+\n?$/;
const LINE_PREFIX = /^\s*(?:>\s*)*(?:#{1,6}\s+|[-*+•]\s+(?:\[[ xX]\]\s+)?)?/;

/** Pictures, with the space before them, their variants and what joins them; © ® ™ are words. */
const EMOJI = String.raw`(?![©®™])(?:\p{Extended_Pictographic}|\p{Regional_Indicator}|[0-9#*]\uFE0F?\u20E3)` +
  String.raw`[\uFE0F\u200D\u{1F3FB}-\u{1F3FF}\u{E0020}-\u{E007F}]*`;

/** A tag up to its end, or to what cannot be read before the next clause. */
const TAG = String.raw`</?[a-z][\w:.-]*(?:\s+[\w:.-]+=(?:"[^"]*"|'[^']*'|[^\s>"']+))*`;

const MARKUP = new RegExp(
  [
    "(?<ticks>`+)",
    String.raw`\\(?<escaped>[\\${"`"}*_{}\[\]()#+.!|~<>-])`,
    String.raw`(?<address>\]\((?:[^()]|\([^()]*\))*(?<closed>\))?)`,
    String.raw`(?<bracket>!?\[|\])`,
    String.raw`(?<tag><!--.*?-->|${TAG}\s*/?>)`,
    String.raw`(?<open>(?<comment><!--).*|${TAG}\s+[\w:.-]+=(?<quote>["'])(?:(?!\k<quote>).)*)$`,
    String.raw`(?<url><?https?://(?:www\.)?(?<host>[^\s/?#)>\]*]+)[^\s)>\]*]*>?)`,
    String.raw`(?<emphasis>\*+|_+|~~+)`,
    `(?<emoji> *(?:${EMOJI})+)`,
    String.raw`(?<pipe>\|)`,
  ].join("|"),
  "gisu",
);

/**
 * Adds to every clause what is read aloud of it. Markup that spans clauses is followed across them. Block code is
 * silent, `code` keeps its words, a link its text, a bare address its host.
 */
export function speakable(): TransformStream<string, Clause> {
  const position: Position = {
    lineStart: true,
    fence: undefined,
    code: false,
    address: false,
    tag: undefined,
    table: false,
  };
  return new TransformStream({
    transform(text, controller) {
      controller.enqueue({ text, spoken: spokenOf(text, position) });
    },
  });
}

function spokenOf(text: string, position: Position): string {
  const spoken = (text.match(/[^\n]*\n|[^\n]+$/g) ?? [])
    .map((line) => spokenLine(line, position))
    .join("")
    .replace(/[ \t]{2,}/g, " ");
  // Punctuation alone is nothing to say, and some voices fail on it.
  return /[\p{L}\p{N}]/u.test(spoken) ? spoken : "";
}

/** What is spoken of one line, or of the part of it that this clause holds. */
function spokenLine(line: string, position: Position): string {
  const starts = position.lineStart;
  position.lineStart = line.endsWith("\n");
  if (starts) {
    position.code = position.address = false;
    if (position.tag !== "-->") position.tag = undefined;
    position.table = /^\s*\|/.test(line);
    const fence = FENCE.exec(line)?.[1];
    if (fence && (position.fence === undefined || position.fence === fence)) {
      position.fence = position.fence ? undefined : fence;
      return "";
    }
  }
  if (position.fence) return "";
  if (!starts) return spokenInline(line, position);
  if (RULE.test(line)) return "";
  return spokenInline(line.replace(LINE_PREFIX, ""), position);
}

function spokenInline(line: string, position: Position): string {
  let rest = line;
  if (position.address) {
    const end = line.indexOf(")");
    if (end < 0) return "";
    position.address = false;
    rest = line.slice(end + 1);
  }
  while (position.tag) {
    const end = rest.indexOf(position.tag);
    if (end < 0) return "";
    rest = rest.slice(end + position.tag.length);
    position.tag = position.tag === "'" || position.tag === '"' ? ">" : undefined;
  }
  return rest.replace(MARKUP, (...args) => {
    const groups = args.at(-1) as Record<string, string | undefined>;
    const [match, at] = [args[0] as string, args.at(-3) as number];
    if (groups.ticks) {
      position.code = !position.code;
      return "";
    }
    if (position.code) return match;
    if (groups.escaped) return groups.escaped;
    if (groups.address) position.address = !groups.closed;
    if (groups.open) position.tag = groups.comment ? "-->" : groups.quote === "'" ? "'" : '"';
    if (groups.url) return hostOf(match, groups.host ?? "");
    if (groups.emphasis) {
      return isEmphasis(match, rest.charAt(at - 1), rest.charAt(at + match.length)) ? "" : match;
    }
    if (groups.pipe) return position.table ? " " : match;
    return "";
  });
}

/** The host of an address, with the punctuation after the address that belongs to the sentence. */
function hostOf(url: string, host: string): string {
  return host.replace(/[.,;:!?]+$/, "") + (/[.,;:!?]+$/.exec(url)?.[0] ?? "");
}

/** Whether a run of `*`, `_` or `~` is markup: not in 2 * 3, 2*3 or snake_case. */
function isEmphasis(run: string, before: string, after: string): boolean {
  const inWord = /[\p{L}\p{N}]/u.test(before) && /[\p{L}\p{N}]/u.test(after);
  const alone = !/\S/.test(before) && !/\S/.test(after);
  if (run.startsWith("_")) return !inWord;
  return !alone && !(run === "*" && inWord);
}
