// The Java client itself against three servers. Built and run by zookeeper_java.mjs, which makes the
// cluster and obeys the lines that begin with "@".
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import javax.security.auth.login.AppConfigurationEntry;
import javax.security.auth.login.Configuration;
import org.apache.zookeeper.*;
import org.apache.zookeeper.AsyncCallback.*;
import org.apache.zookeeper.Watcher.Event.*;
import org.apache.zookeeper.admin.ZooKeeperAdmin;
import org.apache.zookeeper.data.*;

public class ZooKeeperStories extends Stories {
    static final List<ACL> OPEN_ACL = ZooDefs.Ids.OPEN_ACL_UNSAFE;

    /** What a watcher was told, in order. */
    static class Seen implements Watcher {
        final List<String> events = new CopyOnWriteArrayList<>();
        final Set<KeeperState> states = ConcurrentHashMap.newKeySet();

        public void process(WatchedEvent event) {
            if (event.getType() == EventType.None)
                states.add(event.getState());
            else
                events.add(event.getType() + " " + event.getPath());
        }
    }

    static ZooKeeperAdmin dial(String hosts, Watcher seen) throws Exception {
        ZooKeeperAdmin client = new ZooKeeperAdmin(hosts, 10000, seen, false);
        OPEN.add(client);
        until("connected", () -> client.getState() == ZooKeeper.States.CONNECTED);
        return client;
    }

    static ZooKeeperAdmin dial(String hosts) throws Exception {
        return dial(hosts, new Seen());
    }

    static void nodes(String root) throws Exception {
        ZooKeeper zk = dial(HOSTS);
        Stat stat = new Stat();
        equal(zk.create(root, bytes("0"), OPEN_ACL, CreateMode.PERSISTENT, stat), root);
        equal(stat.getCzxid(), stat.getPzxid());
        equal(zk.create(root + "/e", null, OPEN_ACL, CreateMode.EPHEMERAL), root + "/e");
        equal(zk.getData(root + "/e", false, stat), null);
        equal(stat.getEphemeralOwner(), zk.getSessionId());
        equal(zk.create(root + "/s", bytes(""), OPEN_ACL, CreateMode.PERSISTENT_SEQUENTIAL), root + "/s0000000001");
        zk.create(root + "/c", bytes(""), OPEN_ACL, CreateMode.CONTAINER, stat);
        equal(stat.getEphemeralOwner(), 0L);
        zk.create(root + "/t", bytes(""), OPEN_ACL, CreateMode.PERSISTENT_WITH_TTL, stat, 60000);
        equal(stat.getEphemeralOwner(), 0L);
        zk.create(root + "/c/x", bytes(""), OPEN_ACL, CreateMode.PERSISTENT);
        equal(zk.getAllChildrenNumber(root), 5);
        equal(zk.getEphemerals(root), List.of(root + "/e"));
        equal(zk.getEphemerals("/none"), List.of());
        equal(new TreeSet<>(zk.getChildren(root, false, stat)), new TreeSet<>(List.of("e", "s0000000001", "c", "t")));
        equal(stat.getCversion(), 4);
        refused(KeeperException.NoChildrenForEphemeralsException.class, () -> zk.create(root + "/e/x", null, OPEN_ACL, CreateMode.PERSISTENT));
        refused(KeeperException.NotEmptyException.class, () -> { zk.delete(root, -1); return "deleted"; });
        refused(KeeperException.BadVersionException.class, () -> zk.setData(root, bytes("x"), 3));
        refused(KeeperException.InvalidACLException.class, () -> zk.create(root + "/n", null, List.of(), CreateMode.PERSISTENT));
        ZKUtil.deleteRecursive(zk, root);
        equal(zk.exists(root, false), null);
    }

    static void identities(String root) throws Exception {
        ZooKeeper zk = dial(HOSTS);
        zk.addAuthInfo("digest", bytes("bob:secret"));
        Set<String> who = new TreeSet<>();
        for (ClientInfo info : zk.whoAmI())
            who.add(info.getAuthScheme() + ":" + info.getUser());
        equal(who, new TreeSet<>(List.of("digest:bob", "ip:127.0.0.1")));
        zk.create(root, bytes("x"), ZooDefs.Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        Stat stat = new Stat();
        List<ACL> acl = zk.getACL(root, stat);
        check(acl.get(0).getId().getId().startsWith("bob:"), acl);
        equal(zk.setACL(root, ZooDefs.Ids.READ_ACL_UNSAFE, stat.getAversion()).getAversion(), 1);
        ZooKeeper other = dial(HOSTS);
        equal(new String(other.getData(root, false, null)), "x");
        refused(KeeperException.NoAuthException.class, () -> other.setData(root, bytes("y"), -1));
        Seen seen = new Seen();
        ZooKeeper wrong = dial(HOSTS, seen);
        wrong.addAuthInfo("none-such", bytes("x"));
        until("refused", () -> seen.states.contains(KeeperState.AuthFailed));
    }

    static void sasl(String root) throws Exception {
        Configuration.setConfiguration(new Configuration() {
            public AppConfigurationEntry[] getAppConfigurationEntry(String name) {
                return !name.equals("Client") ? null : new AppConfigurationEntry[] {new AppConfigurationEntry(
                        "org.apache.zookeeper.server.auth.DigestLoginModule", AppConfigurationEntry.LoginModuleControlFlag.REQUIRED,
                        Map.of("username", "jaasuser", "password", "jaas_password"))};
            }
        });
        try {
            Seen seen = new Seen();
            ZooKeeper zk = dial(HOSTS, seen);
            until("proved: " + seen.states, () -> seen.states.contains(KeeperState.SaslAuthenticated));
            zk.create(root, bytes("x"), Arrays.asList(new ACL(ZooDefs.Perms.ALL, new Id("sasl", "jaasuser"))), CreateMode.PERSISTENT);
            equal(new String(zk.getData(root, false, null)), "x");
        } finally {
            Configuration.setConfiguration(null);
        }
        ZooKeeper plain = dial(HOSTS);
        until("there", () -> plain.exists(root, false) != null);
        refused(KeeperException.NoAuthException.class, () -> plain.getData(root, false, null));
    }

    static void multis(String root) throws Exception {
        ZooKeeper zk = dial(HOSTS);
        List<OpResult> done = zk.multi(List.of(Op.create(root, bytes("0"), OPEN_ACL, CreateMode.PERSISTENT),
                Op.create(root + "/c", bytes(""), OPEN_ACL, CreateMode.CONTAINER),
                Op.create(root + "/t", bytes(""), OPEN_ACL, CreateMode.PERSISTENT_WITH_TTL, 60000),
                Op.check(root, 0), Op.setData(root, bytes("1"), 0), Op.delete(root + "/c", -1)));
        equal(done.size(), 6);
        equal(((OpResult.CreateResult) done.get(1)).getPath(), root + "/c");
        equal(((OpResult.SetDataResult) done.get(4)).getStat().getVersion(), 1);
        Seen seen = new Seen();
        zk.exists(root, seen);
        try {
            zk.multi(List.of(Op.setData(root, bytes("2"), -1), Op.check(root, 9), Op.delete(root, -1)));
            throw new AssertionError("it went through");
        } catch (KeeperException error) {
            equal(error.code(), KeeperException.Code.BADVERSION);
            List<Integer> codes = new ArrayList<>();
            for (OpResult each : error.getResults())
                codes.add(((OpResult.ErrorResult) each).getErr());
            equal(codes, List.of(0, -103, -2));
        }
        List<OpResult> read = zk.multi(List.of(Op.getChildren(root), Op.getData(root), Op.getData(root + "/none")));
        equal(((OpResult.GetChildrenResult) read.get(0)).getChildren(), List.of("t"));
        equal(new String(((OpResult.GetDataResult) read.get(1)).getData()), "1");
        equal(((OpResult.ErrorResult) read.get(2)).getErr(), -101);
        equal(seen.events, List.of());
    }

    static void watches(String root) throws Exception {
        ZooKeeper zk = dial(SERVERS[0]), other = dial(SERVERS[1]), second = dial(SERVERS[0]);
        zk.create(root, bytes(""), OPEN_ACL, CreateMode.PERSISTENT);
        Seen deep = new Seen(), flat = new Seen(), once = new Seen(), gone = new Seen();
        zk.addWatch(root, deep, AddWatchMode.PERSISTENT_RECURSIVE);
        second.addWatch(root, flat, AddWatchMode.PERSISTENT); // by another client: 3.8's mixes both kinds up on a path
        second.getChildren(root, once);
        zk.addWatch(root + "/gone", gone, AddWatchMode.PERSISTENT);
        zk.exists(root + "/gone2", gone);
        zk.removeWatches(root + "/gone", gone, Watcher.WatcherType.Any, false);
        zk.removeAllWatches(root + "/gone2", Watcher.WatcherType.Any, false);
        refused(KeeperException.NoWatcherException.class, () -> { zk.removeWatches(root + "/x", gone, Watcher.WatcherType.Any, false); return "removed"; });
        until("there", () -> other.exists(root, false) != null);
        other.create(root + "/a", bytes(""), OPEN_ACL, CreateMode.PERSISTENT);
        other.create(root + "/a/b", bytes(""), OPEN_ACL, CreateMode.PERSISTENT);
        other.create(root + "/gone", bytes(""), OPEN_ACL, CreateMode.PERSISTENT);
        other.create(root + "/gone2", bytes(""), OPEN_ACL, CreateMode.PERSISTENT);
        other.setData(root, bytes("1"), -1);
        other.delete(root + "/a/b", -1);
        until("the last: " + deep.events, () -> deep.events.size() == 6);
        equal(deep.events, List.of("NodeCreated " + root + "/a", "NodeCreated " + root + "/a/b", "NodeCreated " + root + "/gone",
                "NodeCreated " + root + "/gone2", "NodeDataChanged " + root, "NodeDeleted " + root + "/a/b"));
        until("the last: " + flat.events, () -> flat.events.size() == 4);
        equal(flat.events, List.of("NodeChildrenChanged " + root, "NodeChildrenChanged " + root, "NodeChildrenChanged " + root, "NodeDataChanged " + root));
        equal(once.events, List.of("NodeChildrenChanged " + root));
        check(gone.events.stream().allMatch(each -> each.contains("Removed")), gone.events);
    }

    static void configuration(String root) throws Exception {
        ZooKeeperAdmin plain = dial(HOSTS), zk = dial(HOSTS);
        zk.addAuthInfo("digest", bytes("super:test"));
        Seen seen = new Seen();
        Stat stat = new Stat();
        String before = new String(zk.getConfig(seen, stat));
        check(before.contains("server.1=") && before.contains("version="), before);
        String joining = "server.100=127.0.0.1:19998:19999:observer;127.0.0.1:19997";
        refused(KeeperException.NoAuthException.class, () -> plain.reconfigure(joining, null, null, -1, null));
        refused(KeeperException.BadVersionException.class, () -> plain.reconfigure(joining, null, null, 77, null));
        refused(KeeperException.BadArgumentsException.class, () -> zk.reconfigure("server.x=1", null, null, -1, null));
        String grown = new String(zk.reconfigure(joining, null, null, -1, stat));
        check(grown.contains(joining), grown);
        until("told", () -> seen.events.contains("NodeDataChanged /zookeeper/config"));
        long version = Long.parseLong(grown.substring(grown.indexOf("version=") + 8).trim(), 16);
        String shrunk = new String(zk.reconfigure(null, "100", null, version, stat));
        check(!shrunk.contains("server.100"), shrunk);
    }

    static void pipelined(String root) throws Exception {
        ZooKeeper zk = dial(HOSTS);
        zk.create(root, bytes(""), OPEN_ACL, CreateMode.PERSISTENT);
        int many = 2000;
        CountDownLatch left = new CountDownLatch(2 * many);
        AtomicInteger answered = new AtomicInteger(), wrong = new AtomicInteger();
        for (int i = 0; i < many; i++) {
            int number = i;
            zk.setData(root, bytes(i), -1, (code, path, context, stat) -> {
                if (code != 0 || answered.getAndIncrement() != 2 * number || stat.getVersion() != number + 1)
                    wrong.incrementAndGet();
                left.countDown();
            }, null);
            zk.getData(root, false, (DataCallback) (code, path, context, data, stat) -> {
                if (code != 0 || answered.getAndIncrement() != 2 * number + 1 || !new String(data).equals("" + number))
                    wrong.incrementAndGet();
                left.countDown();
            }, null);
        }
        check(left.await(30, TimeUnit.SECONDS), left);
        equal(wrong.get(), 0);
    }

    static void many_watches_move(String root) throws Exception {
        Seen seen = new Seen(), deep = new Seen(), session = new Seen();
        ZooKeeper zk = dial(HOSTS, session), other = dial(HOSTS);
        zk.create(root, bytes(""), OPEN_ACL, CreateMode.PERSISTENT);
        String filler = "x".repeat(200);
        for (int i = 0; i < 3000; i++) // more than one frame of them
            zk.exists(root + "/" + filler + i, seen, (code, path, context, stat) -> { }, null);
        zk.addWatch(root, deep, AddWatchMode.PERSISTENT_RECURSIVE);
        long id = zk.getSessionId();
        String at = zk.toString().replaceAll("(?s).*remoteserver:[^/]*/127.0.0.1:(\\d+).*", "$1");
        int node = 1 + Arrays.asList(SERVERS).indexOf("127.0.0.1:" + at);
        check(node > 0, zk);
        steer("kill " + node);
        AtomicInteger turn = new AtomicInteger();
        until("created meanwhile", () -> other.create(root + "/" + filler + turn.getAndIncrement(), bytes(""), OPEN_ACL, CreateMode.PERSISTENT) != null);
        String made = root + "/" + filler + (turn.get() - 1);
        until("told: " + seen.events.size(), () -> seen.events.contains("NodeCreated " + made));
        until("connected", () -> zk.getState() == ZooKeeper.States.CONNECTED);
        other.create(root + "/" + filler + "2999", bytes(""), OPEN_ACL, CreateMode.PERSISTENT);
        until("told", () -> seen.events.contains("NodeCreated " + root + "/" + filler + "2999")
                && deep.events.contains("NodeCreated " + root + "/" + filler + "2999"));
        equal(zk.getSessionId(), id);
        check(!session.states.contains(KeeperState.Expired), session.states);
        steer("start " + node);
    }

    static void sessions(String root) throws Exception {
        Seen seen = new Seen();
        ZooKeeper zk = dial(SERVERS[0], seen);
        zk.create(root, bytes(""), OPEN_ACL, CreateMode.EPHEMERAL);
        ZooKeeper same = new ZooKeeper(SERVERS[1], 10000, new Seen(), zk.getSessionId(), zk.getSessionPasswd());
        OPEN.add(same);
        until("resumed", () -> same.getState() == ZooKeeper.States.CONNECTED);
        equal(same.getSessionId(), zk.getSessionId());
        byte[] wrong = zk.getSessionPasswd().clone();
        wrong[0] ^= 1;
        Seen refused = new Seen();
        OPEN.add(new ZooKeeper(SERVERS[2], 10000, refused, zk.getSessionId(), wrong));
        until("refused", () -> refused.states.contains(KeeperState.Expired));
        until("closed", () -> {
            ZooKeeper again = new ZooKeeper(SERVERS[1], 10000, new Seen(), zk.getSessionId(), zk.getSessionPasswd());
            Thread.sleep(50);
            again.close();
            return seen.states.contains(KeeperState.Expired);
        });
        equal(dial(SERVERS[0]).exists(root, false), null);
    }

    static void read_only(String root) throws Exception {
        Seen seen = new Seen();
        int leader = Integer.parseInt(steer("leader")), left = leader == 1 ? 2 : 1;
        ZooKeeper zk = new ZooKeeper(SERVERS[left - 1], 20000, seen, true);
        OPEN.add(zk);
        until("connected", () -> zk.getState() == ZooKeeper.States.CONNECTED);
        zk.create(root, bytes("still"), OPEN_ACL, CreateMode.PERSISTENT);
        long id = zk.getSessionId();
        for (int node = 1; node <= 3; node++)
            if (node != left)
                steer("kill " + node);
        until("read-only", () -> zk.getState() == ZooKeeper.States.CONNECTEDREADONLY);
        equal(new String(zk.getData(root, false, null)), "still");
        refused(KeeperException.NotReadOnlyException.class, () -> zk.setData(root, bytes("no"), -1));
        for (int node = 1; node <= 3; node++)
            if (node != left)
                steer("start " + node);
        until("writable", () -> zk.getState() == ZooKeeper.States.CONNECTED && zk.setData(root, bytes("yes"), -1) != null);
        equal(zk.getSessionId(), id);
    }

    public static void main(String[] args) {
        tell("java: nodes of every kind; counts of all children, ephemerals of a session", ZooKeeperStories::nodes);
        tell("java: identities, whoAmI, rights, an unknown scheme", ZooKeeperStories::identities);
        tell("java: SASL DIGEST-MD5", ZooKeeperStories::sasl);
        tell("java: multi and multiRead, with the code of each part", ZooKeeperStories::multis);
        tell("java: addWatch in both modes, removeWatches, one-time watches", ZooKeeperStories::watches);
        tell("java: reconfigure and getConfig", ZooKeeperStories::configuration);
        tell("java: 4,000 calls outstanding are answered in order", ZooKeeperStories::pipelined);
        tell("java: 3,000 watches move to another server when theirs is killed", ZooKeeperStories::many_watches_move);
        tell("java: a session is resumed by its password alone, and ended from elsewhere", ZooKeeperStories::sessions);
        tell("java: without a quorum a session goes on read-only, and comes back", ZooKeeperStories::read_only);
        end();
    }
}
