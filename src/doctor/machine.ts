/** Whether the machine and Deno give the server what its configuration needs. */
import type { Agent } from "../agent.ts";
import type { Config } from "../config.ts";
import { memoryBytes } from "../dispatch/strain.ts";
import { loadSmartTurn } from "../end_of_turn/smart_turn.ts";
import { messageOf } from "../errors.ts";
import { silentLog } from "../log.ts";
import { recordingFiles } from "../recording/files.ts";
import { loadSilero } from "../vad/silero.ts";
import { type Check, failed, ok, warning } from "./check.ts";

export interface MachineOptions {
  readonly config: Config;
  readonly agents: Readonly<Record<string, Agent>>;
}

/** A call takes some tens of files, and those of a room that was left are given back late. */
const fewestFiles = 10_000;
/** The server takes about 120 MB before its first call. */
const leastBytes = 256 * 2 ** 20;
/** The check that those which use native code are for naught without. */
const permissionsName = "permissions";

export function machineChecks({ config, agents }: MachineOptions): Check[] {
  const { turnModel, recordFolder } = config;
  return [
    { name: permissionsName, run: () => checkPermissions(neededBy(config, agents)) },
    {
      name: "voice detection",
      after: permissionsName,
      async run() {
        await loadSilero();
        return ok("Silero's model is there");
      },
    },
    ...turnModel === undefined ? [] : [{
      name: "turn model",
      after: permissionsName,
      async run() {
        using model = await loadSmartTurn(turnModel);
        return ok(`${turnModel} is ${model.model}`);
      },
    }],
    ...recordFolder === undefined ? [] : [{
      name: "recordings",
      after: permissionsName,
      async run() {
        await recordingFiles(recordFolder, silentLog);
        return ok(`${recordFolder} can be written to`);
      },
    }],
    { name: "memory", run: () => Promise.resolve(checkMemory(config)) },
    { name: "open files", run: checkFiles },
  ];
}

interface Need {
  readonly permission: Deno.PermissionDescriptor;
  readonly flag: string;
  readonly what: string;
}

/** The permissions that the configuration takes. */
function neededBy(
  { models, recordFolder, stateFolder, maxRssBytes }: Config,
  agents: MachineOptions["agents"],
): Need[] {
  const named = [models, ...Object.values(agents)].flatMap(({ stt }) => stt ?? []);
  const isLocal = named.some((one) =>
    JSON.stringify(typeof one === "string" ? one : "model" in one ? one.model : "").includes("local/")
  );
  const write = [
    ...isLocal ? [{ path: ".models", what: "models of STT=local/…" }] : [],
    ...recordFolder === undefined ? [] : [{ path: recordFolder, what: "RECORD" }],
    ...stateFolder === undefined ? [] : [{ path: stateFolder, what: "STATE_DIR" }],
  ];
  const sys = [
    "cpus",
    "hostname",
    "networkInterfaces",
    ...maxRssBytes === undefined ? ["systemMemoryInfo"] : [],
  ];
  const commands = Object.values(agents).flatMap(({ mcpServers = [] }) =>
    mcpServers.flatMap((server) => "command" in server ? server.command : [])
  );
  return [
    { permission: { name: "net" }, flag: "--allow-net", what: "LiveKit, the providers and the port" },
    { permission: { name: "read", path: "." }, flag: "--allow-read=.", what: "the source and the packages" },
    {
      permission: { name: "ffi", path: "./node_modules" },
      flag: "--allow-ffi=./node_modules",
      what: "LiveKit's WebRTC and voice detection",
    },
    ...write.map(({ path, what }): Need => ({
      permission: { name: "write", path },
      flag: `--allow-write=${path}`,
      what,
    })),
    ...sys.map((kind): Need => ({
      permission: { name: "sys", kind: kind as "cpus" },
      flag: `--allow-sys=${kind}`,
      what: kind === "systemMemoryInfo" ? "how much memory there is" : "LiveKit's WebRTC and the log",
    })),
    ...commands.map((command): Need => ({
      permission: { name: "run", command },
      flag: `--allow-run=${command}`,
      what: "an agent's MCP server (deno task start:mcp)",
    })),
  ];
}

/** By this process' own permissions: it is to be run with those of the server. */
async function checkPermissions(needs: readonly Need[]) {
  const asked = await Promise.all(needs.map(async (need) => ({
    ...need,
    granted: (await Deno.permissions.query(need.permission)).state === "granted",
  })));
  const missing = asked.filter(({ granted }) => !granted).map(({ flag, what }) => `${flag} (${what})`);
  if (missing.length === 0) return ok("Deno allows what the configuration needs");
  return failed(
    `Deno does not allow what the configuration needs: run the server with ${missing.join(", ")}`,
  );
}

function checkMemory({ maxRssBytes }: Pick<Config, "maxRssBytes">) {
  const megabytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MB`;
  const most = maxRssBytes ?? memoryBytes();
  const source = maxRssBytes === undefined ? "by the machine or the container" : "by MAX_RSS_MB";
  if (most >= leastBytes) return ok(`${megabytes(most)}, ${source}`);
  return warning(`${megabytes(most)}, ${source}; expected ${megabytes(leastBytes)} or more`);
}

/** Deno has no way to ask, and reads /proc with --allow-all only: the shell tells. */
async function checkFiles() {
  const shell = new Deno.Command("sh", { args: ["-c", "ulimit -n"], stderr: "null" });
  try {
    const text = new TextDecoder().decode((await shell.output()).stdout).trim();
    const files = text === "unlimited" ? Infinity : Number(text);
    if (!(files < fewestFiles)) return ok(`${text} may be open`);
    return warning(
      `${text} may be open: raise it for many calls, with ulimit -n 65536 or --ulimit nofile=65536`,
    );
  } catch (error) {
    return warning(`how many may be open cannot be read: ${messageOf(error)}`);
  }
}
