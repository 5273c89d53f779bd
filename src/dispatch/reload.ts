/** While agents are being written: a file that is saved takes effect, in the calls that run too. */
import { registerHooks } from "node:module";
import { type Agent, isAgent } from "../agent.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";

/** An editor writes a file in several steps: this long after the last one it is read. */
const settleMs = 100;

export interface ReloadOptions {
  /** The registry's module, beside which the agents' files are. */
  readonly module: URL;
  /** The registry, which is kept up to date in place. */
  readonly agents: Record<string, Agent>;
  /** Its names, which are, too. */
  readonly names: string[];
  /** Loads what new versions need; when it rejects, those before stay. */
  readonly prepare: (agents: Readonly<Record<string, Agent>>) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Reloads extends Disposable {
  /** The version of `agent` that there is now; itself where it is none of the registry's. */
  latest(agent: Agent): Agent;
}

/** Reads the agents anew whenever a file beside the registry's module is saved. One that cannot be read changes nothing. */
export function reloadAgents({ module, agents, names, prepare, clock, log }: ReloadOptions): Reloads {
  const folder = new URL(".", module);
  const nameOf = new WeakMap<Agent, string>();
  const name = (registry: Readonly<Record<string, Agent>>) => {
    for (const [name, agent] of Object.entries(registry)) nameOf.set(agent, name);
  };
  name(agents);

  let version = 0;
  // A module is loaded once for each address: each version of the folder has addresses of its own.
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      const found = next(specifier, context);
      const isAgents = version > 0 && found.url.startsWith(folder.href) && !found.url.includes("?");
      return isAgents ? { ...found, url: `${found.url}?version=${version}` } : found;
    },
  });

  const load = async () => {
    version++;
    try {
      const loaded = registryIn(await import(`${module.href}?version=${version}`));
      await prepare(loaded);
      name(loaded);
      for (const gone of Object.keys(agents)) if (!Object.hasOwn(loaded, gone)) delete agents[gone];
      Object.assign(agents, loaded);
      names.splice(0, names.length, ...Object.keys(agents));
      log.info({ agents: Object.keys(agents) }, "agents were read anew");
    } catch (error) {
      log.error({ error }, "agents could not be read anew; those before go on");
    }
  };

  const watcher = Deno.watchFs(folder.pathname);
  let timer: Disposable | undefined;
  let loading = Promise.resolve();
  const follow = async () => {
    for await (const { kind, paths } of watcher) {
      if (kind === "access" || !paths.some((path) => path.endsWith(".ts"))) continue;
      timer?.[Symbol.dispose]();
      timer = clock.after(settleMs, () => void (loading = loading.then(load)));
    }
  };
  void follow();
  return {
    latest: (agent) => agents[nameOf.get(agent) ?? ""] ?? agent,
    [Symbol.dispose]() {
      timer?.[Symbol.dispose]();
      watcher.close();
      hooks.deregister();
    },
  };
}

/** What the registry's module exports; throws a TypeError when that is no registry. */
function registryIn(module: { readonly agents?: unknown }): Readonly<Record<string, Agent>> {
  const { agents } = module;
  const isRegistry = typeof agents === "object" && agents !== null && Object.values(agents).every(isAgent);
  if (!isRegistry) {
    throw new TypeError(
      "the module's `agents` is no registry; expected agents made by defineAgent(), by name",
    );
  }
  return agents as Readonly<Record<string, Agent>>;
}
