/**
 * The image of the Dockerfile and containers of it, without an engine and without a registry: buildah builds from a
 * Debian that debootstrap makes once, in the cache folder, and from the Deno that runs the tests.
 */
import { followServer, type ServerProcess } from "./server.ts";

export interface Image extends AsyncDisposable {
  /** What its files take, without what the file system adds. */
  readonly bytes: number;
  readonly config: {
    readonly User: string;
    readonly Cmd: readonly string[];
    readonly Env: readonly string[];
    readonly Healthcheck: { readonly Test: readonly string[] };
  };
  /** Where a container's files are, to look at. */
  readonly folder: string;
  /** Runs the image's command, with `env` beside the image's own; on the network of this machine. */
  start(env: Readonly<Record<string, string>>): Promise<ServerProcess>;
  /** The user that a process of the container runs as. */
  userOf(pid: number): Promise<number>;
  /** Runs another command in a container of the image, to its end. */
  run(command: readonly string[], env: Readonly<Record<string, string>>): Promise<Outcome>;
}

const root = new URL("../..", import.meta.url);
const suite = "bookworm";
const HOW =
  "be root on Debian or the like, with buildah and debootstrap (apt-get install buildah debootstrap)";
/** How long a container may take to begin its command. */
const START_MS = 10_000;
/** What debian:…-slim leaves out as well. */
const leftOut = [
  "usr/share/doc",
  "usr/share/locale",
  "usr/share/man",
  "var/cache/apt",
  "var/lib/apt/lists",
  "var/log",
];

/** Builds the image; undefined where that is not possible, and says what it takes. */
export async function buildImage(): Promise<Image | undefined> {
  const base = await findBase();
  if (!base) return cannot();
  await using stack = new AsyncDisposableStack();
  const store = await Deno.makeTempDir({ dir: base.cache });
  stack.defer(async () => {
    await run(["umount", "--recursive", `${store}/root/overlay`]); // buildah leaves it mounted
    await Deno.remove(store, { recursive: true });
  });
  const driver = await firstOf(
    ["overlay", "vfs"],
    async (name) => (await run(buildah(store, name, "info"))).success,
  );
  if (driver === undefined) return cannot();
  const ask = (...args: string[]) => ran(buildah(store, driver, ...args));
  stack.defer(async () => void await ask("rm", "--all"));

  await ask("rmi", "--all", "--force");
  const [baseImage, denoImage] = ["localhost/base", "localhost/deno"];
  await imageOf(ask, baseImage, base.folder, "/");
  await imageOf(ask, denoImage, Deno.execPath(), "/deno");
  const images = ["--build-arg", `BASE_IMAGE=${baseImage}`, "--build-arg", `DENO_IMAGE=${denoImage}`];
  // The format of Docker knows health checks.
  await ask(
    "build",
    "--isolation",
    "chroot",
    "--format",
    "docker",
    ...images,
    "--tag",
    "repartee",
    root.pathname,
  );
  const container = await ask("from", "localhost/repartee");
  const folder = await ask("mount", container);
  const [bytes = ""] = (await ran(["du", "--summarize", "--bytes", folder])).split("\t");
  const { Docker: { config } } = JSON.parse(await ask("inspect", "--type", "image", "localhost/repartee"));
  const command = (given: readonly string[], env: Readonly<Record<string, string>>) => {
    const variables = Object.entries(env).map(([name, value]) => `--env=${name}=${value}`);
    return buildah(store, driver, "run", "--isolation", "chroot", ...variables, container, "--", ...given);
  };
  const built = stack.move();
  return {
    bytes: Number(bytes),
    config,
    folder,
    async start(env) {
      const [program = "", ...args] = command(config.Cmd, env);
      const child = new Deno.Command(program, { args, stdin: "null", stdout: "piped", stderr: "piped" })
        .spawn();
      const pid = await untilBegun(child.pid);
      // buildah passes no signals on.
      return { ...followServer(child, (signal) => Deno.kill(pid, signal)), pid };
    },
    userOf: async (pid) => Number(/^Uid:\s+\d+\s+(\d+)/m.exec(await of(pid, "status"))?.[1]),
    run: (given, env) => run(command(given, env)),
    [Symbol.asyncDispose]: () => built.disposeAsync(),
  };
}

function cannot(): undefined {
  console.log(`skipped, the image cannot be built here: ${HOW}`);
}

async function firstOf(
  names: readonly string[],
  is: (name: string) => Promise<boolean>,
): Promise<string | undefined> {
  for (const name of names) if (await is(name)) return name;
  return undefined;
}

type Ask = (...args: string[]) => Promise<string>;

/** An image with nothing but `source` at `target`. */
async function imageOf(ask: Ask, name: string, source: string, target: string): Promise<void> {
  const container = await ask("from", "scratch");
  await ask("copy", "--quiet", container, source, target);
  await ask("commit", "--quiet", "--rm", container, name);
}

function buildah(store: string, driver: string, ...args: string[]): string[] {
  return [
    "buildah",
    "--root",
    `${store}/root`,
    "--runroot",
    `${store}/run`,
    "--storage-driver",
    driver,
    ...args,
  ];
}

/** A Debian as small as debian:…-slim, with the authorities that this machine trusts. */
async function findBase(): Promise<{ readonly cache: string; readonly folder: string } | undefined> {
  if (Deno.uid() !== 0) return undefined;
  for (const tool of ["buildah", "debootstrap"]) {
    if (!(await run([tool, "--version"])).success) return undefined;
  }
  const cache = `${Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`}/repartee/container`;
  const folder = `${cache}/${suite}`;
  await Deno.mkdir(cache, { recursive: true });
  if (!await exists(folder)) {
    console.log(`making a Debian in ${folder} …`);
    const partial = `${folder}.partial`;
    await run(["rm", "-rf", partial]);
    if (
      !(await run(["debootstrap", "--variant=minbase", "--include=ca-certificates", suite, partial])).success
    ) {
      return undefined;
    }
    await ran(["sh", "-c", 'cd "$0" && rm -rf "$@"', partial, ...leftOut.map((path) => `${path}/`)]);
    await Deno.rename(partial, folder);
  }
  const authorities = "/etc/ssl/certs/ca-certificates.crt";
  if (await exists(authorities)) await Deno.copyFile(authorities, `${folder}${authorities}`);
  return { cache, folder };
}

/** The process that buildah runs in the container: the last of its line. */
async function untilBegun(pid: number): Promise<number> {
  const giveUpAt = Date.now() + START_MS;
  while (Date.now() < giveUpAt) {
    const child = await lastChild(pid);
    if ((await of(child, "comm")).trim() === "deno") return child;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("the container did not begin its command");
}

async function lastChild(pid: number): Promise<number> {
  const [child] = (await of(pid, "task/*/children")).trim().split(" ");
  return child ? await lastChild(Number(child)) : pid;
}

/** What the system says of a process; empty when it is gone. Only a program of its own may read it without all rights. */
async function of(pid: number, what: string): Promise<string> {
  return (await run(["sh", "-c", `cat /proc/${pid}/${what}`])).stdout;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

export interface Outcome {
  readonly success: boolean;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run([program = "", ...args]: readonly string[]): Promise<Outcome> {
  try {
    const { success, code, stdout, stderr } = await new Deno.Command(program, { args }).output();
    const [out = "", error = ""] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    return { success, code, stdout: out, stderr: error };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { success: false, code: 127, stdout: "", stderr: "" };
    throw error;
  }
}

/** What the command printed; throws with what it said when it fails. */
async function ran(command: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await run(command);
  if (!success) throw new Error(`${command.join(" ")} failed:\n${stderr.slice(-4_000)}`);
  return stdout.trim();
}
