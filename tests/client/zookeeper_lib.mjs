// What the tests of ZooKeeper's clients share. Most of these clients speak another language, so their
// tests are programs of their own: they print "ok ..." and "not ok ..." lines, and steer the cluster
// by lines "@ kill 2", "@ stop 2", "@ start 2", "@ leader", each answered by a line on their input.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { Cluster, Skip, here, start_program, temporary_folder } from './lib.mjs';

export const SUPER = 'super:D/InIHSb7yEEbrWz8b9l71RjZJU='; // of super:test
export const settings = {
  'zookeeper.timeout_min_ms': 1000,
  'zookeeper.super_digest': SUPER,
  'zookeeper.sasl_users': 'jaasuser:jaas_password other:secret',
};
export const hosts_of = (cluster) => cluster.ids().map((id) => `127.0.0.1:${cluster.zookeeper(id)}`).join(',');

/** What is not on this machine ends the file as skipped. */
export function need(...files) {
  const missing = files.filter((file) => !fs.existsSync(file));
  if (missing.length) throw new Skip(`not on this machine: ${missing.join(', ')}`);
}

/** A compiler's run, which must succeed without a word. */
export function must_succeed(program, args, options = {}) {
  const done = spawnSync(program, args, { encoding: 'utf8', timeout: 60000, ...options });
  if (done.error?.code === 'ENOENT') throw new Skip(`not on this machine: ${program}`);
  if (done.status !== 0) throw new Error(`${program}: ${done.error ?? ''}${done.stdout}${done.stderr}`);
}

async function steer(cluster, [verb, node]) {
  switch (verb) {
    case 'kill': return cluster.kill(Number(node), 'SIGKILL');
    case 'stop': return cluster.kill(Number(node), 'SIGTERM');
    case 'start': return cluster.start(Number(node));
    case 'leader': return cluster.tree_leader();
    default: throw new Error(`@ ${verb}?`);
  }
}

/** The node that says of itself, to ZooKeeper's clients, that it leads. */
Cluster.prototype.tree_leader = async function () {
  for (let turn = 0; turn < 500; turn++) {
    for (const id of this.ids()) {
      const answer = await fetch(`http://127.0.0.1:${this.admin(id)}/commands/leader`).then((r) => r.json()).catch(() => ({}));
      if (answer.is_leader) return id;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('no leader of the tree in 10 s');
};

/** Runs a program against a cluster, relays its lines: {passed, failed}. */
async function run_program(cluster, { program, args = [], env = {}, patience_ms = 120000 }) {
  const counted = { passed: 0, failed: 0 };
  const child = start_program(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env, HOSTS: hosts_of(cluster), ADMIN: cluster.ids().map((id) => cluster.admin(id)).join(',') },
  });
  child.stdin.on('error', () => {});
  let errors = '';
  child.stderr.on('data', (data) => (errors = (errors + data).slice(-6000)));
  const timer = setTimeout(() => {
    console.log(`    no end after ${patience_ms} ms`);
    child.kill('SIGKILL');
  }, patience_ms);
  readline.createInterface({ input: child.stdout }).on('line', async (line) => {
    if (line.startsWith('@ ')) {
      const answer = await steer(cluster, line.slice(2).split(' ')).catch((error) => error);
      child.stdin.write(typeof answer === 'number' ? `${answer}\n` : answer instanceof Error ? `error ${answer.message.split('\n')[0]}\n` : 'done\n');
      return;
    }
    if (line.startsWith('ok ')) counted.passed++;
    if (line.startsWith('not ok ')) counted.failed++;
    console.log(line);
  });
  const { code, signal } = await child.ended;
  clearTimeout(timer);
  if ((code !== 0 && !counted.failed) || counted.passed + counted.failed === 0) {
    counted.failed++;
    console.log(`not ok ${program} ended with ${code ?? signal}`);
  }
  if (counted.failed) console.log(`    ${errors}\n${cluster.told()}`.replaceAll('\n', '\n    '));
  return counted;
}

/** A test file's whole run: prepare() says what to start, or skips by throwing. */
export async function run_foreign(name, prepare) {
  let counted = { passed: 0, failed: 1 };
  try {
    const what = await prepare();
    const cluster = await Cluster.started({ sets: { ...settings, ...what.sets } });
    counted = await run_program(cluster, what);
    cluster.check_alive();
  } catch (error) {
    if (error instanceof Skip) {
      console.log(`ok ${name} # skipped: ${error.message}`);
      counted = { passed: 1, failed: 0 };
    } else {
      console.log(`not ok ${name}\n    ${String(error.stack ?? error).replaceAll('\n', '\n    ')}`);
      counted.failed ||= 1;
    }
  }
  console.log(`${counted.passed} passed, ${counted.failed} failed`);
  process.exit(counted.failed ? 1 : 0);
}

/** The Java client and Curator, as Debian packages them. */
export const JARS = ['zookeeper', 'zookeeper-jute', 'curator-client', 'curator-framework', 'curator-recipes', 'guava', 'slf4j-api',
  'slf4j-nop', 'netty-all', 'jackson-databind', 'jackson-core', 'jackson-annotations', 'metrics-core', 'snappy-java', 'commons-cli', 'commons-io']
  .map((name) => `/usr/share/java/${name}.jar`);

/** Compiles NAME.java of this folder (with Stories.java): what runs it. */
export function java_program(name) {
  const folder = temporary_folder();
  need(...JARS.slice(0, 8));
  must_succeed('javac', ['-nowarn', '-Xlint:none', '-proc:none', '-d', folder, '-cp', JARS.join(':'),
    path.join(here, 'Stories.java'), path.join(here, `${name}.java`)]);
  return { program: 'java', args: ['-XX:+UseSerialGC', '-cp', [folder, ...JARS].join(':'), name] };
}
