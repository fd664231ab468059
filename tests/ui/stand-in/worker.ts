/** A scripted engine: every method of EngineApi with plausible answers, in one of several scenarios. */
import { serve } from '../../../src/lib/rpc/serve';
import { StandIn } from './engine';
import type { Scenario } from './scenario';

const scenario = fetch('/stand-in-scenario').then((response) => response.text());
serve(new StandIn(scenario as Promise<Scenario>));
