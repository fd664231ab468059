export { createEngine, type EngineOptions } from './engine';
export { EngineError, type EngineErrorCode } from './errors';
