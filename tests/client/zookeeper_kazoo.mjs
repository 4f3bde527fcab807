// kazoo of Debian (its recipes, SASL, reconfig, read-only mode), by the Python that Debian packages are for.
import path from 'node:path';
import { here } from './lib.mjs';
import { must_succeed, need, run_foreign } from './zookeeper_lib.mjs';

const PYTHON = '/usr/bin/python3';

await run_foreign('kazoo', () => {
  need(PYTHON, '/usr/lib/python3/dist-packages/kazoo', '/usr/lib/python3/dist-packages/puresasl');
  must_succeed(PYTHON, ['-c', 'import kazoo']);
  return { program: PYTHON, args: ['-B', path.join(here, 'zookeeper_kazoo.py')] };
});
