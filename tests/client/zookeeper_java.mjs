// The Java client of Debian's ZooKeeper 3.8, by a Java program.
import { java_program, run_foreign } from './zookeeper_lib.mjs';

await run_foreign('java', () => java_program('ZooKeeperStories'));
