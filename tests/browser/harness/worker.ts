/** Runs one scenario and answers once. */
import type { ScenarioCall, ScenarioReply } from './page';
import { scenarios } from './scenarios';

self.onmessage = async ({ data }: MessageEvent<ScenarioCall>) => {
  const run = scenarios[data.name] as (...args: readonly unknown[]) => Promise<unknown>;
  let reply: ScenarioReply;
  try {
    reply = { result: await run(...data.args) };
  } catch (error) {
    const { message, stack, cause } = error as Error;
    reply = { error: `${message}\n${stack}\n${cause instanceof Error ? cause.stack : cause}` };
  }
  self.postMessage(reply);
};
