export { isExactMatch, normaliseAnswer } from './accuracy';
export { rougeL } from './rouge-l';
export { scorePredictions, type Prediction, type Scores } from './score';
