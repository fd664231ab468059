/**
 * The project's own template for models that have no chat template: three headed blocks, of which the
 * input is left out when it is empty. The completion is the answer alone.
 */
import type { Language } from './detect-language';

export interface InstructionText {
  readonly instruction: string;
  readonly input?: string;
  readonly output?: string;
}

export interface PromptAndCompletion {
  /** Ends with the heading of the answer and a line break. */
  readonly prompt: string;
  readonly completion: string;
}

export const INSTRUCTION_HEADINGS = {
  zh: { instruction: '### 指令:', input: '### 输入:', output: '### 输出:' },
  en: { instruction: '### Instruction:', input: '### Input:', output: '### Response:' },
} as const;

export function formatInstruction(row: InstructionText, language: Language): PromptAndCompletion {
  const headings = INSTRUCTION_HEADINGS[language];
  const input = row.input ? `${headings.input}\n${row.input}\n\n` : '';
  return {
    prompt: `${headings.instruction}\n${row.instruction}\n\n${input}${headings.output}\n`,
    completion: row.output ?? '',
  };
}
