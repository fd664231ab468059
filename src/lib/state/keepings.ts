/**
 * What the page keeps for itself and an export takes along: settings, conversation, the Train page's form, requests
 * of runs. What comes back is as hostile as any file; it adds to what is here and replaces nothing.
 */
import type { PageKeepings } from '../rpc/engine-api';
import { shapeKeptForm, type KeptForm } from './kept-form';
import {
  shapeChat,
  shapeRequests,
  shapeSettings,
  type Answer,
  type SavedChat,
  type SavedSettings,
} from './local-shapes';
import { readSaved } from './local-store';
import { adoptRequests } from './remembered-requests';

export function collectKeepings(): PageKeepings {
  return {
    settings: readSaved('settings', shapeSettings),
    chat: readSaved('chat', shapeChat),
    requests: readSaved('requests', shapeRequests),
    form: readSaved('form', shapeKeptForm),
  };
}

export interface Adopted {
  /** Undefined where something was chosen here already. */
  settings?: SavedSettings;
  chat?: SavedChat;
  /** Undefined where a form is kept here. */
  form?: KeptForm;
}

/** @param newIds of items that came as copies */
export function adoptKeepings(
  page: PageKeepings,
  newIds: Readonly<Record<string, string>>,
): Adopted {
  const requests = shapeRequests(page.requests) ?? [];
  adoptRequests(
    requests.map(([runId, request]) => [
      newIds[runId] ?? runId,
      {
        ...request,
        ...(request.evalDatasetId !== undefined && {
          evalDatasetId: newIds[request.evalDatasetId] ?? request.evalDatasetId,
        }),
      },
    ]),
  );
  const chat = shapeChat(page.chat);
  const form = readSaved('form', shapeKeptForm) ? undefined : shapeKeptForm(page.form);
  return {
    settings: readSaved('settings', shapeSettings) ? undefined : shapeSettings(page.settings),
    chat: chat && renamedChat(chat, newIds),
    form: form && renamedForm(form, newIds),
  };
}

const idNow = (id: string | undefined, newIds: Readonly<Record<string, string>>) =>
  id && (newIds[id] ?? id);

function renamedForm(form: KeptForm, newIds: Readonly<Record<string, string>>): KeptForm {
  return {
    ...form,
    modelId: idNow(form.modelId, newIds),
    datasetId: idNow(form.datasetId, newIds),
    evalDatasetId: idNow(form.evalDatasetId, newIds),
    start: form.start && { ...form.start, adapterId: adapterNow(form.start.adapterId, newIds) },
  };
}

function renamedChat(chat: SavedChat, newIds: Readonly<Record<string, string>>): SavedChat {
  const adapter = (id: string | undefined) => id && adapterNow(id, newIds);
  const answer = (found: Answer): Answer => ({ ...found, adapterId: adapter(found.adapterId) });
  return {
    ...chat,
    modelId: idNow(chat.modelId, newIds),
    adapterId: adapter(chat.adapterId),
    turns: chat.turns.map((turn) => ({
      ...turn,
      answers: Object.fromEntries(
        Object.entries(turn.answers).map(([column, found]) => [column, answer(found)]),
      ),
    })),
  };
}

/** Adapters of a run are named after it: `adapter-X-step-N` of `run-X`. */
function adapterNow(id: string, newIds: Readonly<Record<string, string>>): string {
  const [, name, step] = /^adapter-(.*?)(-step-\d+)?$/s.exec(id) ?? [];
  const run = name === undefined ? undefined : newIds[`run-${name}`];
  return newIds[id] ?? (run ? `${run.replace(/^run-/, 'adapter-')}${step ?? ''}` : id);
}
