// libzookeeper_mt of Debian, by a small program in C.
import path from 'node:path';
import { here, temporary_folder } from './lib.mjs';
import { must_succeed, need, run_foreign } from './zookeeper_lib.mjs';

await run_foreign('libzookeeper', () => {
  need('/usr/include/zookeeper/zookeeper.h');
  const program = path.join(temporary_folder(), 'zookeeper_c');
  must_succeed('cc', ['-Wall', '-Wextra', '-Werror', '-O1', path.join(here, 'zookeeper_c.c'), '-o', program, '-lzookeeper_mt', '-lpthread']);
  return { program };
});
