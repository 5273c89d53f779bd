/** Tests of agents: calls without a network, in which time passes as the test says. */
export { testCall } from "./testing/call.ts";
export type { ActOptions, TestCall, TestCallOptions } from "./testing/test_call.ts";
export type { Expectations } from "./testing/expect.ts";
export type { Verdict } from "./testing/judge.ts";
export { judgeModel } from "./testing/judge.ts";
export type { Sound } from "./testing/microphone.ts";
export type { ModelScript, ScriptedAnswer, ScriptedModel, ScriptedReply } from "./testing/script.ts";
export { scripted } from "./testing/script.ts";
export type { MockContext, ToolMock, ToolMocks } from "./testing/tools.ts";
export type { Voicing } from "./testing/voice.ts";
