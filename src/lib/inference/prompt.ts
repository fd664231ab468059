/** Messages to prompt ids, the same that training saw: the chat template, else the project's own. */
import { encodeRow, renderChat, type ChatMessage, type Tokenizer } from '../text';
import { InferenceError } from './errors';

/** @throws InferenceError `bad-prompt`; TextError */
export function encodePrompt(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
): readonly number[] {
  if (messages.length === 0 || messages.at(-1)?.role === 'assistant')
    throw new InferenceError(
      'bad-prompt',
      `The conversation ${messages.length === 0 ? 'is empty' : "ends with the assistant's turn"}; it must end with a question.`,
    );
  if (tokenizer.chatTemplate !== undefined) {
    const text = renderChat(tokenizer, messages, { addGenerationPrompt: true });
    return tokenizer.encode(text, { addSpecialTokens: false });
  }
  const row = {
    kind: 'chat',
    messages: [...messages, { role: 'assistant', content: '' }],
  } as const;
  const { inputIds, promptLength } = encodeRow(row, tokenizer, {
    template: 'instruction',
    maxLength: Number.MAX_SAFE_INTEGER,
    trainOnPrompt: false,
  });
  return Array.from(inputIds.subarray(0, promptLength));
}
