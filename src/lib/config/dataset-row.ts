/** A row of a data set in each of the shapes that data come in, whatever file it was read from. */

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly content: string;
  /**
   * Why an answer is not learned from: the data give it a weight of 0, or it is part of what is asked. The first
   * holds also where prompts are learned.
   */
  readonly noLoss?: 'weight' | 'prompt';
}

/** Whether the turn is an answer to learn from. */
export const bearsLoss = ({ role, noLoss }: ChatMessage): boolean =>
  role === 'assistant' && noLoss === undefined;

export type DatasetRow =
  | {
      readonly kind: 'instruction';
      readonly instruction: string;
      /** '' where the instruction needs none. */
      readonly input: string;
      readonly output: string;
    }
  | { readonly kind: 'completion'; readonly prompt: string; readonly completion: string }
  | { readonly kind: 'chat'; readonly messages: readonly ChatMessage[] }
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'tokens';
      readonly inputIds: readonly number[];
      /** As long as inputIds; -100 where no loss is taken. */
      readonly labels: readonly number[];
    };
