/** What the doctor looks at, a check each: what it finds, and what to do about it. */
import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";

export interface Finding {
  /** "skipped": what it needs has failed, or is not there. */
  readonly status: "ok" | "warning" | "failed" | "skipped";
  /** What was found; unless it is "ok", also what to do about it. */
  readonly text: string;
}

export interface Check {
  readonly name: string;
  /** The name of a check before it: when that one has failed, this one would say nothing else. */
  readonly after?: string;
  /** What it means that it takes too long. */
  readonly late?: string;
  /** `signal` aborts when it takes too long; a throw is a failure. */
  run(options: { readonly signal: AbortSignal }): Promise<Finding>;
}

/** What a check has found. */
export interface Checked extends Finding {
  readonly name: string;
}

export const ok = (text: string): Finding => ({ status: "ok", text });
export const warning = (text: string): Finding => ({ status: "warning", text });
export const failed = (text: string): Finding => ({ status: "failed", text });
export const skipped = (text: string): Finding => ({ status: "skipped", text });

/** How long a check may take, milliseconds. */
const deadlineMs = 5_000;
const token = /\beyJ[\w-]+\.[\w-]+\.[\w-]*/g;

/** Runs the checks side by side; none takes longer than 5 s. `secrets` and tokens are in none of the answers. */
export async function runChecks(
  checks: readonly Check[],
  { secrets, clock }: { readonly secrets: readonly string[]; readonly clock: Clock },
): Promise<Checked[]> {
  const hidden = (text: string) =>
    secrets.reduce((shown, secret) => shown.replaceAll(secret, "(hidden)"), text.replace(token, "(hidden)"));
  const running: { readonly name: string; readonly found: Promise<Checked> }[] = [];
  for (const { name, after, ...check } of checks) {
    const before = running.find((one) => one.name === after)?.found;
    const find = async (): Promise<Finding> => {
      const { status = "ok" } = await before ?? {};
      if (status === "failed" || status === "skipped") return skipped(`not tried: see ${after}`);
      return await inTime(check, clock);
    };
    const found = find().then(({ status, text }) => ({ name, status, text: hidden(text) }));
    running.push({ name, found });
  }
  return await Promise.all(running.map(({ found }) => found));
}

async function inTime(
  { run, late: meaning = "a firewall that drops what is sent?" }: Pick<Check, "run" | "late">,
  clock: Clock,
): Promise<Finding> {
  const tooLong = new AbortController();
  const late = Promise.withResolvers<Finding>();
  using _timer = clock.after(deadlineMs, () => {
    late.resolve(failed(`no answer within ${deadlineMs / 1000} s: ${meaning}`));
    tooLong.abort();
  });
  const found = run({ signal: tooLong.signal }).catch((error) => failed(messageOf(error)));
  return await Promise.race([found, late.promise]);
}

/** A line for each, and one for all. */
export function asText(checked: readonly Checked[]): string {
  const width = Math.max(...checked.map(({ name }) => name.length));
  const lines = checked.map(({ status, name, text }) =>
    `${status.padEnd(8)} ${name.padEnd(width)}  ${text.replaceAll(/\s*\n\s*/g, " ")}`
  );
  const count = (status: Finding["status"]) => checked.filter((one) => one.status === status).length;
  return `${lines.join("\n")}\n${count("failed")} failed, ${count("warning")} to look at`;
}

/** Whether none has failed. */
export const isWell = (checked: readonly Checked[]): boolean =>
  checked.every(({ status }) => status !== "failed");
