/**
 * The rows that this room turns into tokens. The same shapes as `formats`' DatasetRow, declared here
 * because rooms of one tier do not import each other; a test holds the two together.
 */
import type { ChatMessage } from './chat-template';

export type TextRow =
  | {
      readonly kind: 'instruction';
      readonly instruction: string;
      readonly input: string;
      readonly output: string;
    }
  | { readonly kind: 'completion'; readonly prompt: string; readonly completion: string }
  | { readonly kind: 'chat'; readonly messages: readonly ChatMessage[] }
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'tokens';
      readonly inputIds: readonly number[];
      readonly labels: readonly number[];
    };

/**
 * - `auto`: the model's chat template where it has one, otherwise the instruction template
 * - `instruction`: the project's own template
 * - `chat`: the model's chat template; a TextError where it has none
 */
export type RowTemplate = 'auto' | 'instruction' | 'chat';
