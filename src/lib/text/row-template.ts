/**
 * How a row becomes text.
 * - `auto`: the model's chat template where it has one, otherwise the instruction template
 * - `instruction`: the project's own template
 * - `chat`: the model's chat template; a TextError where it has none
 */
export type RowTemplate = 'auto' | 'instruction' | 'chat';
