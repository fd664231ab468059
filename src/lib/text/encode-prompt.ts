/**
 * A conversation to the ids that inference starts from: the same that `encodeRow` puts before the
 * answer, bos and language included, so that a model is asked as it was taught.
 */
import { renderChat, type ChatMessage } from './chat-template';
import { encodePieces, prefixIds } from './encode-pieces';
import { TextError } from './errors';
import { renderTurns } from './render-row';
import type { RowTemplate } from './row-template';
import type { Tokenizer } from './tokenizer';

export interface EncodePromptOptions {
  /** Default `auto`. */
  readonly template?: RowTemplate;
  /** For templates that print the date; default now. */
  readonly date?: Date;
}

/** The last message must not be the assistant's: that turn is what the prompt asks for. */
export function encodePrompt(
  messages: readonly ChatMessage[],
  tokenizer: Tokenizer,
  { template = 'auto', date }: EncodePromptOptions = {},
): number[] {
  const last = messages.at(-1);
  if (last === undefined || last.role === 'assistant') {
    throw new TextError(
      'bad-row',
      `the conversation ${last ? 'ends with an answer' : 'is empty'}; it must end with a question.`,
    );
  }
  const isChat =
    template === 'chat' || (template === 'auto' && tokenizer.chatTemplate !== undefined);
  if (isChat) {
    const text = renderChat(tokenizer, messages, { addGenerationPrompt: true, date });
    return tokenizer.encode(text, { addSpecialTokens: false });
  }
  const asked = [...messages, { role: 'assistant', content: '' } as const];
  // Without the empty answer and the eos behind it.
  const pieces = renderTurns(asked, tokenizer.specialTokens.eos_token ?? '').slice(0, -2);
  return [...prefixIds(tokenizer), ...encodePieces(pieces, tokenizer).flat()];
}
