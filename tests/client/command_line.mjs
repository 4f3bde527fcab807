// cairn's subcommands: what they print, what they refuse, with which exit code.
import fs from 'node:fs';
import path from 'node:path';
import { Client, Cluster, await_program, binary, cairn, call_program, check, equal, has_program, http, run_tests, skip, sleep, start_program,
  temporary_folder, test, until } from './lib.mjs';

const cluster = await Cluster.started();
const at = ['--node', `127.0.0.1:${cluster.redis(1)}`];
const SUBCOMMANDS = ['dev', 'server', 'status', 'member', 'leader', 'shell', 'zk', 'bench', 'inspect', 'import', 'repair', 'torture', 'completion'];

test('every subcommand explains itself with examples', async () => {
  const overview = cairn('--help');
  equal(overview.code, 0);
  for (const name of SUBCOMMANDS) {
    check(overview.out.includes(`  ${name} `), `${name} in the overview`);
    const { code, out } = cairn(name, '--help');
    equal(code, 0, name);
    check(out.startsWith(`cairn ${name}: `) && out.includes('Usage: cairn'), out);
  }
  check(/^cairn \d/.test(cairn('--version').out), 'version');
});

const MISUSES = [
  [], ['nosuch'], ['dev', '--nosuch'], ['dev', '--nodes', '0'], ['dev', '--nodes', '99'], ['dev', '--nodes', 'x'], ['dev', '--nodes'], ['dev', 'operand'],
  ['dev', '--port-offset', '99999'], ['dev', '--set', 'nosuch.key=1'], ['dev', '--set', 'nonsense'], ['server'], ['server', '--nosuch'], ['server', '--config'],
  ['server', '--config', '/nonexistent'], ['server', '--set', 'nonsense'], ['server', '--set', 'no.such=1'], ['server', '--set', 'node.id=0'], ['server', '--set', 'node.id=-1'],
  ['server', '--set', 'raft.heartbeat_ms=100'], ['server', '--set', 'cluster.members=1'], ['server', '--set', 'cluster.members=1=nowhere'], ['server', '--set', 'redis.listen=0.0.0.0:7001'],
  ['server', '--set', 'raft.consistency=no'], ['server', '--set', 'logging.level=no'], ['server', '--set', 'node.dir='], ['server', '--set', 'cluster.bootstrap=maybe'],
  ['server', '--set', 'cluster.bootstrap=yes', '--set', 'node.id=9'], ['status', '--nosuch'], ['status', 'operand'], ['status', '--json=1'], ['member'], ['member', 'nosuch'], ['member', 'add'], ['member', 'add', '4'],
  ['member', 'add', 'x', 'a:1'], ['member', 'add', '4', 'a:1', 'more'], ['member', 'remove'], ['member', 'remove', 'x'], ['member', 'promote'], ['member', 'list', 'x'], ['leader'], ['leader', 'nosuch'],
  ['leader', 'transfer', 'x'], ['leader', 'transfer', '1', '2'], ['shell', '--nosuch'],
  ['zk', 'nosuch'], ['zk', '--nosuch'], ['zk', 'ls'], ['zk', 'ls', 'a'], ['zk', 'ls', '-x', '/'], ['zk', 'get', '/', 'more'], ['zk', 'set', '-v', 'x', '/a', 'b'], ['zk', 'rmr', '/'],
  ['zk', 'create', '-c', '-e', '/a'], ['zk', 'create', '-t', '0', '/a'], ['zk', 'setacl', '/a', 'nonsense'], ['zk', '--server', 'nowhere', 'ls', '/'], ['zk', '--timeout-ms', 'x', 'ls', '/'],
  ['zk', '--auth', 'x', 'ls', '/'], ['zk', 'history', '/a'], ['zk', 'history', 'a', '--dir', '.'], ['bench', '--command', 'nosuch'], ['bench', '--clients', '0'], ['bench', 'operand'], ['bench', '--nosuch'],
  ['inspect'], ['inspect', 'a', 'b'], ['inspect', '--nosuch', 'a'], ['repair'], ['repair', 'a'], ['import'], ['import', 'zookeeper'], ['import', 'nosuch', 'a'], ['import', 'zookeeper', 'a', '--nodes', '0'], ['repair', '--yes'], ['completion'], ['completion', 'nosuch'], ['torture', '--nosuch'], ['torture', '--target', 'nosuch'], ['torture', '--workload', 'nosuch'], ['torture', 'operand'],
];
test('the allocator goes by what the program asks of it', async () => {
  const { err } = call_program(binary, ['--version'], { env: { ...process.env, MALLOC_CONF: 'stats_print:true' } });
  for (const setting of ['oversize_threshold: 0', 'dirty_decay_ms: 500', 'background_thread: true'])
    check(err.includes(`opt.${setting}`), `${setting} in ${err.slice(0, 2000)}`);
});

test('misuse has exit code 3 and a sentence that helps', async () => {
  const wrong = [];
  for (const args of MISUSES) {
    const { code, out, err } = call_program(binary, args, { timeout: 5000, cwd: temporary_folder() });
    if (code !== 3 || err.trim().length < 10) wrong.push(`cairn ${args.join(' ')}: code ${code}, ${err || out}`);
  }
  check(wrong.length === 0, wrong.join('\n'));
});

test('nobody there has exit code 1 and says whom it asked', async () => {
  for (const args of [['status'], ['member', 'list'], ['leader', 'transfer'], ['shell', 'ping']]) {
    const [name, ...rest] = args;
    const { code, err } = cairn(name, '--node', '127.0.0.1:1', ...rest);
    equal(code, 1, args.join(' '));
    check(err.includes('127.0.0.1:1'), err);
  }
  const zk = cairn('zk', '--server', '127.0.0.1:1', 'ls', '/');
  equal(zk.code, 1);
  check(zk.err.includes('127.0.0.1:1'), zk.err);
  equal(cairn('zk', 'history', '/a', '--dir', '/nonexistent').code, 1);
  equal(cairn('inspect', '/nonexistent').code, 1);
  equal(cairn('repair', '/nonexistent', '--yes').code, 1);
  equal(cairn('import', 'zookeeper', '/nonexistent', '--dir', path.join(temporary_folder(), 'new')).code, 1);
});

test('a wrong configuration file is refused with file, line and reason', async () => {
  const file = path.join(temporary_folder(), 'wrong.ini');
  const cases = { '[node]\nid = zero\n': 2, '[node]\nid = 1\n\n[redis]\nlisten_on = x\n': 5, '[nosuch]\nkey = 1\n': 2, 'no line of an INI file\n': 1 };
  for (const [text, line] of Object.entries(cases)) {
    fs.writeFileSync(file, text);
    const { code, err } = cairn('server', '--config', file);
    equal(code, 3);
    check(err.includes(file) && err.includes(`line ${line}`), err);
  }
});

test('the example file is what the program prints, and runs', async () => {
  const { code, out } = cairn('server', '--example');
  equal(code, 0);
  equal(fs.readFileSync(new URL('../../examples/cairn.ini', import.meta.url), 'utf8'), out, 'examples/cairn.ini');
});

test('status shows every member, for people and for scripts', async () => {
  await until('health', () => cairn('status', ...at).code === 0);
  const table = cairn('status', ...at).out;
  equal(table.trim().split('\n').length, 7, table);
  for (const keyspace of ['kv', 'tree'])
    for (const role of ['leader', 'follower'])
      check(new RegExp(`^\\d +${keyspace} +voter +${role} .* ok$`, 'm').test(table), table);
  const nodes = JSON.parse(cairn('status', ...at, '--json').out);
  equal(nodes.map((each) => each.node), [1, 2, 3]);
  check(nodes.every((each) => each.health === 'ok'), 'health');
});

test('shell prints replies as redis-cli does, and exit code 1 for an error', async () => {
  equal(cairn('shell', ...at, 'set', 'shell', 'a "b" c').out, 'OK\n');
  equal(cairn('shell', ...at, 'get', 'shell').out, '"a \\"b\\" c"\n');
  equal(cairn('shell', ...at, 'get', 'none').out, '(nil)\n');
  equal(cairn('shell', ...at, 'strlen', 'shell').out, '(integer) 7\n');
  equal(cairn('shell', ...at, 'mget', 'shell', 'none').out, '1) "a \\"b\\" c"\n2) (nil)\n');
  equal(cairn('shell', ...at, 'incr', 'shell').code, 1);
  const many = call_program(binary, ['shell', ...at], { input: 'set a 1\nincr a\nhelp get\nnosuch\nquit\n' });
  equal(many.code, 0);
  check(many.out.includes('OK\n') && many.out.includes('(integer) 2\n') && many.out.includes('Get the value of a key'), many.out);
});

test('bench measures, and tells errors', async () => {
  for (const command of ['set', 'get', 'incr', 'mset', 'ping']) {
    const { code, out, err } = cairn('bench', ...at, '--command', command, '--requests', '2000', '--clients', '10', '--json');
    equal(code, 0, err);
    check(JSON.parse(out) !== null, out);
  }
  check(cairn('bench', '--node', '127.0.0.1:1', '--requests', '10').code !== 0, 'nobody there');
});

/** Each command as its --help shows it, with as little said as it takes; where it would last, once is enough. */
test('every command runs with its defaults', async () => {
  const folder = temporary_folder();
  const file = (name) => path.join(folder, name);
  const spare = await Cluster.started({ nodes: 1 });
  await spare.stop_all();
  const admin = ['--node', `127.0.0.1:${cluster.admin(1)}`], zookeeper = `127.0.0.1:${cluster.zookeeper(1)}`;
  const runs = {
    dev: 'other tests here', server: 'the cluster of these tests', import: 'import.mjs, from real files',
    status: [[...admin]], member: [['list', ...admin]], leader: [['transfer', ...admin]],
    shell: [['--node', `127.0.0.1:${cluster.redis(1)}`, 'ping']], zk: [['--server', zookeeper, 'ls', '/']],
    bench: [['--node', `127.0.0.1:${cluster.redis(1)}`], ['--zookeeper', zookeeper], ['--floor', file('not/there/yet')]],
    inspect: [[spare.dir(1)]], repair: [[spare.dir(1), '--yes']],
    sim: [['--seeds', '1-1']], gen: [['-o', file('history.jsonl')]], check: [[file('history.jsonl')]], place: [[file('history.jsonl')]],
    explain: [[file('history.jsonl')]], lint: [[file('history.jsonl')]], convert: [[file('history.jsonl'), '--to', 'edn']],
    shrink: 'checking.mjs, of a history that violates', verify: 'checking.mjs, of proofs',
    torture: [['--time', '1', '--dir', file('torture')]], completion: [['bash']],
  };
  const named = cairn('--help').out.match(/^ {2}[a-z]+ {2,}/gm).map((line) => line.trim());
  equal([...named].sort(), Object.keys(runs).sort(), 'commands');
  const run = async (name) => {
    for (const words of typeof runs[name] === 'string' ? [] : runs[name]) {
      const { code, out } = await await_program(binary, [name, ...words], { cwd: folder });
      check(code === 0, `cairn ${name} ${words.join(' ')}: code ${code}, ${out.slice(-500)}`);
    }
  };
  const first = ['gen', 'inspect', 'status'];
  for (const name of first) await run(name);
  const ended = await Promise.allSettled(named.filter((name) => !first.includes(name)).map(run));
  for (const each of ended) if (each.status === 'rejected') throw each.reason;
}, { timeout_ms: 120000 });

test('completion is a script that bash takes', async () => {
  const { out } = cairn('completion', 'bash');
  const done = call_program('bash', ['-c', `${out}\nCOMP_WORDS=(cairn st); COMP_CWORD=1; _cairn; echo "\${COMPREPLY[@]}"; COMP_WORDS=(cairn dev --no); COMP_CWORD=2; _cairn; echo "\${COMPREPLY[@]}"`]);
  equal(done.out, 'status\n--nodes\n');
});

test('admin pages: metrics, status, health, and 404 for others', async () => {
  const metrics = await http(cluster.admin(1), '/metrics');
  equal(metrics.status, 200);
  for (const line of metrics.text.trim().split('\n'))
    check(/^# (HELP|TYPE) (cairn|process)_\w+ .+$|^(cairn|process)_\w+(\{[^}]*\})? [\d.e+-]+$/.test(line), line);
  const status = JSON.parse((await http(cluster.admin(2), '/status')).text);
  equal(status.node, 2);
  equal((await http(cluster.admin(3), '/health')).status, 200);
  equal((await http(cluster.admin(1), '/nosuch')).status, 404);
  const posted = await fetch(`http://127.0.0.1:${cluster.admin(1)}/metrics`, { method: 'POST', body: 'x'.repeat(100000) }).catch(() => ({ status: 0 }));
  check(posted.status !== 500, 'POST');
});

test('metrics: each of the reference once, by one node or another, each of those there; units are Prometheus\'', async () => {
  equal(cairn('shell', ...at, 'set', 'counted', '1').code, 0);
  equal(cairn('bench', '--zookeeper', `127.0.0.1:${cluster.zookeeper(1)}`, '--seconds', '1').code, 0);
  const texts = await Promise.all(cluster.ids().map(async (id) => (await http(cluster.admin(id), '/metrics')).text));
  const told = texts.map((text) => [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name, type]) => `${name} ${type}`));
  for (const names of told) equal(new Set(names).size, names.length, 'no metric twice');
  const documented = [...cairn('reference').out.matchAll(/^\| `(\w+)` \| (gauge|counter|histogram) /gm)].map(([, name, type]) => `${name} ${type}`);
  const greatest = documented.filter((each) => each.endsWith(' histogram')).map((each) => each.replace(' histogram', '_max gauge'));
  equal([...new Set(told.flat())].sort(), [...documented, ...greatest].sort());
  for (const name of ['cairn_redis_command_seconds', 'cairn_zookeeper_request_seconds', 'cairn_log_write_seconds'])
    check(Number(texts[0].match(new RegExp(`^${name}_count (\\d+)$`, 'm'))[1]) > 0, name);
  check(Number(texts[0].match(/^cairn_commit_seconds_count\{keyspace="kv"\} (\d+)$/m)[1]) > 0, 'commit');
  check(Number(texts[0].match(/^process_start_time_seconds (\S+)$/m)[1]) > Date.now() / 1000 - 600, 'the start');
  if (!has_program('promtool')) skip('promtool (Debian\'s package prometheus) is not installed');
  for (const input of texts) {
    const { code, out, err } = call_program('promtool', ['check', 'metrics'], { input });
    equal([code, out, err], [0, '', '']);
  }
});

test('what looks like a file or a number and is none is told before anything runs', async () => {
  const told = {
    'sim --nodes 0': '--nodes is a number from 1 to 7', 'sim --plan /tmp': '/tmp: Is a directory', 'torture --plan /tmp': '/tmp: Is a directory',
    'torture --level nosuch': "no level 'nosuch'", 'torture --workload bank --level snapshot-isolation': "no level 'snapshot-isolation' for this workload",
    'server --config /tmp': '/tmp: Is a directory', 'server --config /proc/none.ini': 'No such file', 'help nosuch': "no command 'nosuch'",
  };
  for (const [line, reason] of Object.entries(told)) {
    const { code, err } = call_program(binary, line.split(' '), { timeout: 5000, cwd: temporary_folder() });
    check(code === 3 && err.includes(reason), `${line}: ${err}`);
  }
  equal(cairn('help', 'server').out, cairn('server', '--help').out);
  const nowhere = cairn('server', '--set', 'node.dir=/proc/nowhere/x', '--set', 'cluster.bootstrap=yes');
  check(nowhere.code === 1 && nowhere.err.includes('/proc/nowhere/x: No such file or directory'), nowhere.err);
});

test('inspect tells what a lost majority asks for; repair of what is no data folder changes nothing', async () => {
  equal(cairn('shell', ...at, 'set', 'inspected', '1').code, 0);
  const { out } = cairn('inspect', cluster.dir(2));
  const names = await Promise.all(['kv', 'tree'].map(async (name) => (await cluster.status(2)).keyspaces.find((each) => each.name === name)));
  for (const { name, protocol, last_index, term } of names) {
    const line = out.match(new RegExp(`^keyspace ${name} \\(group \\d, ${protocol}\\): last index (\\d+) of term (\\d+), first index 1, no snapshot.*\n    members: (.*)$`, 'm'));
    check(line && Math.abs(Number(line[1]) - last_index) < 50 && Number(line[2]) === term, `${out}\n${JSON.stringify(names)}`);
    equal(line[3], [1, 2, 3].map((id) => `${id} at 127.0.0.1:${cluster.peer(id)}, voter`).join('; '));
  }
  check(out.includes(`node 2 of cluster ${cluster.name} (`), out);
  const empty = temporary_folder();
  for (const folder of [empty, path.join(empty, 'none')]) {
    const refused = cairn('repair', folder, '--yes');
    check(refused.code === 1 && refused.err.includes('no data folder'), refused.err);
  }
  equal(fs.readdirSync(empty), []);
});

test('a node tells at its start what it is, and where', async () => {
  const { text } = cluster.children[1];
  for (const word of [`node 1 of cluster ${cluster.name}`, cluster.dir(1), `${cluster.redis(1)}`, `${cluster.admin(1)}`]) check(text.split('\n')[0].includes(word), text);
});

test('the reference is what the program prints', async () => {
  equal(fs.readFileSync(new URL('../../docs/reference.md', import.meta.url), 'utf8'), cairn('reference').out, 'docs/reference.md');
});

test('dev: endpoints, a ready line a node, a last line; goes on from its folder; ends its nodes whatever ends it', async () => {
  const folder = temporary_folder();
  const spare = await Cluster.make();
  const dev = () => start_program(binary, ['dev', '--dir', folder, '--port-offset', String(spare.offset), '--set', 'raft.heartbeat_ms=30']);
  const serves = (child) => until('it serves', () => child.text.includes('The cluster serves. Ctrl-C stops it.'));
  let child = dev();
  await serves(child);
  for (const id of [1, 2, 3])
    check(new RegExp(`^node ${id} \\| time=[-\\dT:.]+Z level=info msg=ready node=${id} redis=127.0.0.1:${spare.redis(id)} `, 'm').test(child.text), child.text);
  const plain = child.text.split('\n').filter((line) => /^node \d \| /.test(line) && !/^node \d \| time=\S+ level=\w+ /.test(line));
  equal(plain.length, 0, plain[0]);
  let client = await spare.client(3);
  equal(await client.call('SET', 'dev', '1'), 'OK');
  client.close();
  child.kill('SIGINT');
  equal((await child.ended).code, 0);
  child = dev();
  await serves(child);
  client = await spare.client(2);
  equal(await client.call('GET', 'dev'), '1');
  client.close();
  child.kill('SIGKILL');
  await child.ended;
  await until('the nodes of a killed dev end too', () => spare.client(1).then((other) => other.close(), () => true), 10000);
});

test('a busy port is named', async () => {
  for (const [key, word] of [['redis.listen', 'Redis'], ['peer.listen', 'peers'], ['admin.listen', 'admin']]) {
    const taken = { 'redis.listen': cluster.redis(1), 'peer.listen': cluster.peer(1), 'admin.listen': cluster.admin(1) }[key];
    const spare = await Cluster.make();
    const { code, err } = call_program(binary, spare.args(1, { 'cluster.bootstrap': 'yes', [key]: `127.0.0.1:${taken}` }), { timeout: 5000 });
    equal(code, 1);
    check(err.includes(`${taken} for`) && err.includes(word) && err.includes('the address is in use'), err);
  }
});

test('long members lists and odd passwords survive the configuration file', async () => {
  const spare = await Cluster.make({ nodes: 1 });
  const file = path.join(spare.folder, 'odd.ini');
  const members = `1=127.0.0.1:${spare.peer(1)} ` + Array.from({ length: 14 }, (_, i) => `${i + 2}=a-rather-long-host-name-${i}.example:7101`).join(' ');
  fs.writeFileSync(file, `[node]\nid = 1\ndir = ${spare.dir(1)}\n[cluster]\nmembers = ${members}\n[redis]\nlisten = 127.0.0.1:${spare.redis(1)}\npassword = p;a#s=s w\n[peer]\nlisten = 127.0.0.1:${spare.peer(1)}\n[admin]\nlisten = 127.0.0.1:${spare.admin(1)}\n`);
  const child = start_program(binary, ['server', '--config', file]);
  const client = await until('it listens', () => spare.client(1));
  equal((await client.ask('PING')).message, 'NOAUTH Authentication required.');
  equal(await client.call('AUTH', 'p;a#s=s w'), 'OK');
  client.close();
  child.kill('SIGTERM');
  equal((await child.ended).code, 0, child.text);
});

test('the cluster of these tests stops cleanly', () => cluster.stop_all());

run_tests();
