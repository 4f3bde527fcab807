// Curator of Debian, by a Java program.
import path from 'node:path';
import { here, temporary_folder } from './lib.mjs';
import { JARS, compile_java, run_foreign } from './zookeeper_lib.mjs';

await run_foreign('curator', () => {
  const folder = temporary_folder();
  compile_java(path.join(here, 'CuratorStories.java'), folder);
  return { program: 'java', args: ['-XX:+UseSerialGC', '-Xshare:auto', '-cp', [folder, ...JARS].join(':'), 'CuratorStories'] };
});
