// zkCli.sh and cli_mt of Debian, by commands on their input, as a person would type them.
import { Cluster, check, equal, run_tests, start_program, test, until } from './lib.mjs';
import { hosts_of, need, settings } from './zookeeper_lib.mjs';

/** A program at whose prompt lines are typed, each when the answer to the last is there. */
class Typed {
  constructor(program, args) {
    this.child = start_program(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stdin.on('error', () => {});
    this.at = 0;
  }
  async see(wanted, what = wanted) {
    let found;
    try {
      await until(`${what}`, () => (found = this.child.text.slice(this.at).match(wanted)));
    } catch (error) {
      throw new Error(`${error.message}; it said: ${this.child.text.slice(this.at)}`);
    }
    this.at += found.index + found[0].length;
    return found;
  }
  type(line, wanted) {
    this.at = this.child.text.length;
    this.child.stdin.write(`${line}\n`);
    return this.see(wanted, line);
  }
}

async function started(run) {
  const cluster = await Cluster.started({ sets: settings });
  try {
    await run(cluster);
  } finally {
    for (const child of Object.values(cluster.children)) child.kill('SIGKILL');
  }
}

const shell = async (cluster) => {
  const typed = new Typed('/usr/share/zookeeper/bin/zkCli.sh', ['-server', hosts_of(cluster)]);
  await typed.see(/state:SyncConnected/);
  return typed;
};
const zkcli = (name, run) => test(`zkCli: ${name}`, () => {
  need('/usr/share/zookeeper/bin/zkCli.sh');
  return started(async (cluster) => run(await shell(cluster), cluster));
});

zkcli('nodes of every kind, stats, rights, quotas', async (cli) => {
  await cli.type('create /a one', /Created \/a\n/);
  await cli.type('create -s -e /a/seq- two', /Created \/a\/seq-0000000000\n/);
  await cli.type('create -c /a/box', /Created \/a\/box\n/);
  await cli.type('create -t 60000 /a/ttl x', /Created \/a\/ttl\n/);
  await cli.type('ls -R /a', /\/a\n\/a\/box\n\/a\/seq-0000000000\n\/a\/ttl\n/);
  await cli.type('ls -s /a', /\[box, seq-0000000000, ttl\]\ncZxid = 0x[0-9a-f]+\n[^]*cversion = 3\n[^]*numChildren = 3\n/);
  await cli.type('stat /a/seq-0000000000', /ephemeralOwner = 0x[1-9a-f][0-9a-f]*\ndataLength = 3\n/);
  await cli.type('get -s /a', /one\ncZxid[^]*dataVersion = 0\naclVersion = 0\nephemeralOwner = 0x0\n/);
  await cli.type('set -s -v 0 /a two', /dataVersion = 1\n/);
  await cli.type('set -v 0 /a three', /version No is not valid : \/a\n/);
  await cli.type('getAcl /a', /'world,'anyone\n: cdrwa\n/);
  await cli.type('setAcl -s /a world:anyone:cdrwa', /aclVersion = 1\n/);
  await cli.type('setquota -N 5 /a', /\n?/);
  await cli.type('listquota /a', /countHardLimit=5[^]*Output stat for \/a count=4/);
  await cli.type('create /a/fifth', /Created \/a\/fifth\n/);
  await cli.type('create /a/sixth', /Quota has exceeded : \/a\/sixth\n/);
  await cli.type('delquota -N /a', /\n?/);
  await cli.type('getAllChildrenNumber /a', /\n?4\n/);
  await cli.type('getEphemerals /a', /\[\/a\/seq-0000000000\]/);
  await cli.type('delete /a', /Node not empty: \/a\n/);
  await cli.type('deleteall /a', /\n?/);
  await cli.type('ls /', /\[zookeeper\]\n/);
  await cli.type('get /a', /Node does not exist: \/a\n/);
});

zkcli('watches, identities, the configuration, history, close and quit', async (cli) => {
  await cli.type('create /w', /Created \/w\n/);
  await cli.type('addWatch -m PERSISTENT_RECURSIVE /w', /\n?/);
  await cli.type('create /w/c', /type:NodeCreated path:\/w\/c/);
  await cli.type('removewatches /w', /type:PersistentWatchRemoved path:\/w/);
  await cli.type('get -w /w', /\n?/);
  await cli.type('set /w x', /type:NodeDataChanged path:\/w/);
  await cli.type('reconfig -remove 9', /Insufficient permission : /);
  await cli.type('addauth digest super:test', /\n?/);
  await cli.type('whoami', /ip: 127\.0\.0\.1\ndigest: super\n/);
  await cli.type('config', /server\.1=127\.0\.0\.1:\d+:\d+:participant;127\.0\.0\.1:\d+\n[^]*server\.3=[^]*version=[0-9a-f]+/);
  await cli.type('reconfig -add server.9=127.0.0.1:19998:19999:observer;127.0.0.1:19997', /Committed new configuration:\n[^]*server\.9=/);
  await cli.type('reconfig -remove 9', /Committed new configuration:\n[^]*version=/);
  await cli.type('sync /w', /Sync is OK\n/);
  await cli.type('history', /get -w \/w\n[^]*12 - sync \/w\n/);
  await cli.type('redo 12', /Sync is OK\n/);
  await cli.type('close', /state:Closed type:None/);
  cli.child.stdin.write('quit\n');
  equal((await cli.child.ended).code, 0, 'exit code');
});

zkcli('a session goes on while each server is killed in turn', async (cli, cluster) => {
  await cli.type('create -e /mine held', /Created \/mine\n/);
  const [, owner] = await cli.type('stat /mine', /ephemeralOwner = (0x[0-9a-f]+)\n/);
  for (const node of cluster.ids()) {
    await cluster.kill(node);
    let done;
    for (let turn = 0; turn < 100 && !done; turn++) // a call is lost with its connection: typed again
      done = (await cli.type('set -s /mine again', /dataVersion = \d+\n|ConnectionLoss/))[0].startsWith('dataVersion');
    check(done, 'no answer');
    await cluster.start(node);
  }
  equal((await cli.type('stat /mine', /ephemeralOwner = (0x[0-9a-f]+)\n/))[1], owner);
  check(!cli.child.text.includes('Expired'), 'expired');
});

test('cli_mt: nodes, errors, and another server when its own is killed', () => {
  const program = '/usr/lib/zookeeper/bin/cli_mt';
  need(program);
  return started(async (cluster) => {
    const cli = new Typed(program, ['-h', hosts_of(cluster)]);
    await cli.see(/Got a new session id: 0x([0-9a-f]+)|session id[^]*0x([0-9a-f]+)/i);
    await cli.type('create +e /c', /\/c[^]*rc = 0/);
    await cli.type('ls /', /rc = 0[^]*zookeeper/);
    await cli.type('set /c hello', /rc = 0/);
    await cli.type('get /c', /rc = 0[^]*hello/);
    await cli.type('create /none/x', /rc = -101/);
    for (const node of cluster.ids()) {
      await cluster.kill(node);
      let done;
      for (let turn = 0; turn < 100 && !done; turn++)
        done = (await cli.type('get /c', /rc = (-?\d+)/))[1] === '0';
      check(done, 'no answer');
      await cluster.start(node);
    }
    await cli.type('delete /c', /rc = 0/);
    cli.child.stdin.write('quit\n');
    await cli.child.ended;
  });
});

await run_tests();
