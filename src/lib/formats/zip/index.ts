export { MAX_ENTRIES } from './directory';
export { openZip, readZip, type ZipEntry, type ZipStreamEntry } from './read-zip';
export { writeZip, type ZipInput } from './write-zip';
