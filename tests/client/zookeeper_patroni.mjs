// Patroni of Debian, the part of it that talks to ZooKeeper.
import path from 'node:path';
import { here } from './lib.mjs';
import { need, run_foreign } from './zookeeper_lib.mjs';

const PYTHON = '/usr/bin/python3';

await run_foreign('patroni', () => {
  need(PYTHON, '/usr/lib/python3/dist-packages/patroni', '/usr/lib/python3/dist-packages/kazoo');
  return { program: PYTHON, args: ['-B', path.join(here, 'zookeeper_patroni.py')] };
});
