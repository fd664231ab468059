/** One streamed answer. Stopping keeps the text so far instead of throwing it away. */
import type { ChatRequest, ChatResult, WaitsFor } from '../rpc/engine-api';
import { engine } from './engine.svelte';

export interface Answered {
  text: string;
  stopped: boolean;
  result?: ChatResult;
}

/** @throws what the engine throws, except for an abort through `signal` */
export async function streamAnswer(
  request: ChatRequest,
  onText: (whole: string) => void,
  signal: AbortSignal,
  onWaiting: (waitsFor: WaitsFor | undefined) => void = () => undefined,
): Promise<Answered> {
  let text = '';
  try {
    const result = await engine.track('chatting', '', (api) =>
      api.chat(request, {
        signal,
        onProgress: (update) => {
          onWaiting(update.waitsFor);
          text += update.text;
          onText(text);
        },
      }),
    );
    onText(result.text);
    return { text: result.text, stopped: result.stoppedBy === 'signal', result };
  } catch (error) {
    if (!signal.aborted) throw error;
    return { text, stopped: true };
  }
}
