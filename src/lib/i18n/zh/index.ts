import { chat } from './chat';
import { common } from './common';
import { curves } from './curves';
import { data } from './data';
import { evaluate } from './evaluate';
import { formSettings } from './form-settings';
import { frame } from './frame';
import { home } from './home';
import { models } from './models';
import { methods } from './methods';
import { recipe } from './recipe';
import { rounds } from './rounds';
import { settings } from './settings';
import { train } from './train';

export const zh = {
  common,
  frame,
  home,
  models,
  train,
  recipe,
  methods,
  curves,
  data,
  rounds,
  formSettings,
  chat,
  evaluate,
  settings,
};
