/**
 * Plan: what a person may say a row is. The form follows how the file was read, whatever the field was called
 * there; a form gives only its own columns, and says which are still to be chosen.
 */
import { describe, expect, it } from 'vitest';
import { columnOf, formOf, readChoice } from '$lib/state/row-forms';

describe('what a row is', () => {
  it('follows how the file was read', () => {
    expect(formOf({ instruction: 'q', output: 'a' })).toBe('qa');
    expect(formOf({ prompt: 'q', completion: 'a' })).toBe('qa');
    expect(formOf({ messages: 'dialogue', system: 'rules' })).toBe('chat');
    expect(formOf({ conversations: 'talk' })).toBe('chat');
    expect(formOf({ text: 'content' })).toBe('text');
    expect(formOf({ input_ids: 'ids' })).toBe('tokens');
    expect(formOf({ input_ids: 'ids', labels: 'targets' })).toBe('tokens');
    for (const nothing of [{}, { labels: 'targets' }, { instruction: 'q' }, { messages: '' }])
      expect(formOf(nothing)).toBe('qa');
  });

  it('gives the columns of its form and no others', () => {
    const mapping = { prompt: 'q', completion: 'a', system: 's', text: 't', history: '' };
    expect(columnOf(mapping, 'instruction')).toBe('q');
    expect(columnOf(mapping, 'messages')).toBe('');
    expect(readChoice('qa', mapping)).toEqual({
      mapping: { instruction: 'q', output: 'a', system: 's' },
      missing: [],
    });
    expect(readChoice('text', mapping)).toEqual({ mapping: { text: 't' }, missing: [] });
    expect(readChoice('chat', mapping)).toEqual({
      mapping: { system: 's' },
      missing: ['messages'],
    });
    const ids = { input_ids: 'ids', labels: 'targets', text: 't' };
    expect(readChoice('tokens', ids).mapping).toEqual({ input_ids: 'ids', labels: 'targets' });
    expect(readChoice('tokens', { input_ids: 'ids', labels: '' })).toEqual({
      mapping: { input_ids: 'ids' },
      missing: [],
    });
    expect(readChoice('tokens', { labels: 'targets' }).missing).toEqual(['input_ids']);
    expect(readChoice('chat', { conversations: 'talk' }).mapping).toEqual({ messages: 'talk' });
  });

  it('takes a choice before what was read, and no column as none', () => {
    expect(readChoice('qa', { prompt: 'q', completion: 'a', instruction: '' }).missing).toEqual([
      'instruction',
    ]);
    expect(readChoice('qa', { prompt: 'q', completion: 'a', instruction: 'x' }).mapping).toEqual({
      instruction: 'x',
      output: 'a',
    });
  });
});
