// Curator of Debian, by a Java program.
import { java_program, run_foreign } from './zookeeper_lib.mjs';

await run_foreign('curator', () => java_program('CuratorStories'));
