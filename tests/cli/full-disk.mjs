// Loaded before the command line: lets the disk under INKSTONE_TEST_DISK refuse files, as INKSTONE_TEST_REFUSALS says:
// {"code": "ENOSPC", "only": part of the paths, "after": so many that are written, "times": so many that are refused}.
// A refused write leaves half of a file, as a disk that is full does.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const disk = process.env.INKSTONE_TEST_DISK;
const refusals = JSON.parse(process.env.INKSTONE_TEST_REFUSALS ?? '{"times": 0}');
let { code, only = '', after = 0, times = Infinity } = refusals;
const { writeFile } = fs.promises;

fs.promises.writeFile = async (path, content, ...rest) => {
  const isMeant = String(path).startsWith(disk) && String(path).includes(only);
  if (!isMeant || after-- > 0 || times-- <= 0) return writeFile(path, content, ...rest);
  await writeFile(path, content.slice(0, content.length / 2), ...rest);
  throw Object.assign(new Error(`${code}: write`), { code, syscall: 'write' });
};
syncBuiltinESMExports();
