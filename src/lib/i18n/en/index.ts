import { chat } from './chat';
import { common } from './common';
import { curves } from './curves';
import { evaluate } from './evaluate';
import { frame } from './frame';
import { home } from './home';
import { models } from './models';
import { methods } from './methods';
import { recipe } from './recipe';
import { settings } from './settings';
import { train } from './train';

export const en = {
  common,
  frame,
  home,
  models,
  train,
  recipe,
  methods,
  curves,
  chat,
  evaluate,
  settings,
};
