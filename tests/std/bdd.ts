/**
 * What `jsr:@std/testing/bdd` exports and the tests use; one line in deno.json switches to it. Each `it` is a test of
 * its own, so that Deno's sanitizers look for what it left behind.
 */

type Hook = () => void | PromiseLike<void> | undefined;
type Kind = "beforeAll" | "beforeEach" | "afterEach" | "afterAll";

interface Suite {
  readonly name: string;
  readonly hooks: Readonly<Record<Kind, Hook[]>>;
  readonly parent: Suite | undefined;
  readonly options: TestOptions;
  /** Tests registered in it and below that are not ignored, and how many of them have run: its `…All` hooks go around them. */
  tests: number;
  run: number;
}

export interface TestOptions {
  /** Leaves the test out, and says so. */
  readonly ignore?: boolean;
  /** Native code keeps resources of its own: these sanitizers can be told so. */
  readonly sanitizeOps?: boolean;
  readonly sanitizeResources?: boolean;
}

const suite = (name: string, options: TestOptions = {}, parent?: Suite): Suite => ({
  name,
  options,
  hooks: { beforeAll: [], beforeEach: [], afterEach: [], afterAll: [] },
  parent,
  tests: 0,
  run: 0,
});

/** The file itself, at first. */
let current = suite("");

/** Groups tests; may be nested. The options hold for all of them. */
export function describe(name: string, define: () => void): void;
export function describe(name: string, options: TestOptions, define: () => void): void;
export function describe(name: string, ...rest: [() => void] | [TestOptions, () => void]): void {
  const parent = current;
  current = suite(name, rest.length === 2 ? rest[0] : {}, parent);
  (rest.at(-1) as () => void)();
  current = parent;
}

/** Registers a test under the names of its groups. */
export function it(name: string, test: Hook): void;
export function it(name: string, options: TestOptions, test: Hook): void;
export function it(name: string, ...rest: [Hook] | [TestOptions, Hook]): void {
  const test = rest.at(-1) as Hook;
  const options = rest.length === 2 ? rest[0] : {};
  const suites = suitesOf(current);
  const all: TestOptions = Object.assign({}, ...suites.map((suite) => suite.options), options);
  if (!all.ignore) suites.forEach((suite) => suite.tests++);
  const path = [...suites.map((suite) => suite.name), name].filter(Boolean).join(" > ");
  Deno.test({
    name: path,
    ...all,
    async fn() {
      for (const suite of suites) if (suite.run++ === 0) await runAll(suite.hooks.beforeAll);
      try {
        for (const suite of suites) await runAll(suite.hooks.beforeEach);
        await test();
      } finally {
        for (const suite of suites.toReversed()) await runAll(suite.hooks.afterEach);
        for (const suite of suites.toReversed()) {
          if (suite.run === suite.tests) await runAll(suite.hooks.afterAll);
        }
      }
    },
  });
}

export const beforeAll = (hook: Hook): void => addHook("beforeAll", hook);
export const beforeEach = (hook: Hook): void => addHook("beforeEach", hook);
export const afterEach = (hook: Hook): void => addHook("afterEach", hook);
export const afterAll = (hook: Hook): void => addHook("afterAll", hook);

function addHook(kind: Kind, hook: Hook): void {
  current.hooks[kind].push(hook);
}

/** From the outermost to `suite`. */
function suitesOf(suite: Suite | undefined): Suite[] {
  return suite ? [...suitesOf(suite.parent), suite] : [];
}

async function runAll(hooks: readonly Hook[]): Promise<void> {
  for (const hook of hooks) await hook();
}
