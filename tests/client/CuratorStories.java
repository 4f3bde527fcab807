// Curator against three servers: framework and recipes, through kills. Built and run by
// zookeeper_curator.mjs, which makes the cluster and obeys the lines that begin with "@".
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.*;
import org.apache.curator.framework.recipes.cache.*;
import org.apache.curator.framework.recipes.leader.*;
import org.apache.curator.framework.recipes.locks.*;
import org.apache.curator.framework.recipes.nodes.*;
import org.apache.curator.framework.recipes.queue.*;
import org.apache.curator.framework.recipes.shared.*;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryForever;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.*;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Stat;

public class CuratorStories extends Stories {
    static CuratorFramework dial(String hosts) throws Exception {
        return dial(CuratorFrameworkFactory.builder().connectString(hosts));
    }

    static CuratorFramework dial(CuratorFrameworkFactory.Builder builder) throws Exception {
        CuratorFramework client = builder.sessionTimeoutMs(10000).connectionTimeoutMs(5000)
                .retryPolicy(new RetryForever(50)).build();
        OPEN.add(client);
        client.start();
        check(client.blockUntilConnected(10, TimeUnit.SECONDS), "no connection");
        return client;
    }

    // ---- framework ----

    static void nodes(String root) throws Exception {
        CuratorFramework zk = dial(HOSTS), other = dial(SERVERS[1]);
        equal(zk.create().creatingParentsIfNeeded().forPath(root + "/a/b", bytes("x")), root + "/a/b");
        Stat stat = new Stat();
        equal(new String(zk.getData().storingStatIn(stat).forPath(root + "/a/b")), "x");
        equal(zk.setData().withVersion(stat.getVersion()).forPath(root + "/a/b", bytes("y")).getVersion(), 1);
        refused(KeeperException.BadVersionException.class, () -> zk.setData().withVersion(7).forPath(root + "/a/b"));
        refused(KeeperException.NodeExistsException.class, () -> zk.create().forPath(root + "/a/b"));
        zk.create().orSetData().forPath(root + "/a/b", bytes("z"));
        other.sync().forPath(root);
        equal(new String(other.getData().forPath(root + "/a/b")), "z");
        zk.create().creatingParentContainersIfNeeded().withMode(CreateMode.EPHEMERAL).forPath(root + "/box/in/e");
        zk.create().withTtl(60000).withMode(CreateMode.PERSISTENT_WITH_TTL).forPath(root + "/ttl");
        equal(zk.checkExists().forPath(root + "/ttl").getEphemeralOwner(), 0L);
        String path = zk.create().withProtection().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath(root + "/p-");
        check(path.matches(root + "/_c_[-0-9a-f]{36}-p-[0-9]{10}"), path);
        zk.delete().guaranteed().deletingChildrenIfNeeded().forPath(root);
        equal(zk.checkExists().forPath(root), null);
        CompletableFuture<String> later = new CompletableFuture<>();
        zk.create().inBackground((client, event) -> later.complete(event.getType() + " " + event.getResultCode()))
                .forPath(root);
        equal(later.get(5, TimeUnit.SECONDS), "CREATE 0");
        CuratorFramework inside = zk.usingNamespace(root.substring(1));
        inside.create().forPath("/n");
        check(zk.checkExists().forPath(root + "/n") != null, "namespace");
    }

    static void lived(String root) throws Exception {
        CuratorFramework zk = dial(HOSTS);
        zk.create().forPath(root);
        zk.create().withTtl(300).withMode(CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL).forPath(root + "/t-");
        zk.create().creatingParentContainersIfNeeded().forPath(root + "/box/in");
        zk.delete().forPath(root + "/box/in");
        until("the node ran out", () -> zk.checkExists().forPath(root + "/t-0000000000") == null);
    }

    static void transactions(String root) throws Exception {
        CuratorFramework zk = dial(HOSTS);
        List<CuratorTransactionResult> done = zk.transaction().forOperations(
                zk.transactionOp().create().forPath(root, bytes("0")),
                zk.transactionOp().create().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath(root + "/s-"),
                zk.transactionOp().check().withVersion(0).forPath(root),
                zk.transactionOp().setData().forPath(root, bytes("1")));
        equal(done.get(1).getResultPath(), root + "/s-0000000000");
        equal(done.get(3).getResultStat().getVersion(), 1);
        refused(KeeperException.NoNodeException.class, () -> zk.transaction().forOperations(
                zk.transactionOp().setData().forPath(root, bytes("2")),
                zk.transactionOp().delete().forPath(root + "/none")));
        ZooKeeper raw = zk.getZookeeperClient().getZooKeeper();
        List<OpResult> read = raw.multi(List.of(Op.getData(root), Op.getChildren(root), Op.getData(root + "/none")));
        equal(new String(((OpResult.GetDataResult) read.get(0)).getData()), "1");
        equal(((OpResult.GetChildrenResult) read.get(1)).getChildren(), List.of("s-0000000000"));
        equal(((OpResult.ErrorResult) read.get(2)).getErr(), -101);
    }

    static void rights(String root) throws Exception {
        CuratorFramework zk = dial(HOSTS);
        CuratorFramework bob = dial(CuratorFrameworkFactory.builder().connectString(HOSTS)
                .authorization("digest", bytes("bob:secret")));
        bob.create().withACL(ZooDefs.Ids.CREATOR_ALL_ACL).forPath(root, bytes("x"));
        zk.sync().forPath(root);
        refused(KeeperException.NoAuthException.class, () -> zk.getData().forPath(root));
        List<ACL> acl = bob.getACL().forPath(root);
        equal(acl.get(0).getId().getScheme(), "digest");
        bob.setACL().withACL(ZooDefs.Ids.OPEN_ACL_UNSAFE).forPath(root);
        zk.sync().forPath(root);
        equal(new String(zk.getData().forPath(root)), "x");
    }

    static void configuration(String root) throws Exception {
        CuratorFramework zk = dial(HOSTS);
        String text = new String(zk.getConfig().forEnsemble());
        check(text.contains("server.1=") && text.contains("version="), text);
        // EnsembleTracker reads it on every connection, and hands it to the provider
        until("tracked", () -> zk.getCurrentConfig().getAllMembers().size() == 3);
        CuratorFramework root2 = dial(CuratorFrameworkFactory.builder().connectString(HOSTS)
                .authorization("digest", bytes("super:test")));
        root2.reconfig().joining("server.100=127.0.0.1:19998:19999:observer;127.0.0.1:19997").forEnsemble();
        until("the fourth is told", () -> zk.getCurrentConfig().getAllMembers().size() == 4);
        root2.reconfig().leaving("100").forEnsemble();
        until("and gone", () -> zk.getCurrentConfig().getAllMembers().size() == 3);
    }

    // ---- watches ----

    static void watchers(String root) throws Exception {
        CuratorFramework zk = dial(SERVERS[0]), other = dial(SERVERS[2]);
        zk.create().forPath(root);
        List<String> seen = new CopyOnWriteArrayList<>(), once = new CopyOnWriteArrayList<>();
        PersistentWatcher watcher = new PersistentWatcher(zk, root, true);
        watcher.getListenable().addListener(event -> seen.add(event.getType() + " " + event.getPath()));
        watcher.start();
        zk.getData().usingWatcher((Watcher) event -> once.add(event.getType().name())).forPath(root);
        Watcher unwanted = event -> once.add("unwanted " + event.getType());
        zk.checkExists().usingWatcher(unwanted).forPath(root + "/x");
        zk.watchers().remove(unwanted).ofType(Watcher.WatcherType.Data).forPath(root + "/x");
        zk.watchers().add().withMode(AddWatchMode.PERSISTENT).usingWatcher((Watcher) event -> { }).forPath(root + "/p");
        other.sync().forPath(root);
        other.create().forPath(root + "/x", bytes("1"));
        other.setData().forPath(root + "/x", bytes("2"));
        other.create().forPath(root + "/x/y");
        other.delete().deletingChildrenIfNeeded().forPath(root + "/x");
        other.setData().forPath(root, bytes("r"));
        List<String> wanted = List.of("NodeCreated " + root + "/x", "NodeDataChanged " + root + "/x",
                "NodeCreated " + root + "/x/y", "NodeDeleted " + root + "/x/y", "NodeDeleted " + root + "/x",
                "NodeDataChanged " + root);
        until("all events: " + seen, () -> seen.size() >= wanted.size());
        equal(seen, wanted);
        until("once: " + once, () -> once.contains("NodeDataChanged"));
        check(once.stream().noneMatch(each -> each.equals("unwanted NodeCreated")), once);
        watcher.close();
    }

    static void caches(String root) throws Exception {
        CuratorFramework zk = dial(HOSTS), other = dial(SERVERS[1]);
        other.create().creatingParentsIfNeeded().forPath(root + "/a", bytes("1"));
        zk.sync().forPath(root);
        CuratorCache whole = CuratorCache.build(zk, root);
        AtomicInteger changes = new AtomicInteger();
        whole.listenable().addListener((type, before, after) -> changes.incrementAndGet());
        PathChildrenCache children = new PathChildrenCache(zk, root, true);
        NodeCache node = new NodeCache(zk, root + "/a");
        TreeCache tree = new TreeCache(zk, root);
        whole.start();
        children.start(PathChildrenCache.StartMode.BUILD_INITIAL_CACHE);
        node.start(true);
        tree.start();
        until("filled", () -> tree.getCurrentData(root + "/a") != null && whole.get(root + "/a").isPresent());
        other.setData().forPath(root + "/a", bytes("2"));
        other.create().forPath(root + "/b", bytes("3"));
        until("all follow", () -> new String(whole.get(root + "/a").get().getData()).equals("2")
                && new String(node.getCurrentData().getData()).equals("2") && children.getCurrentData().size() == 2
                && new String(tree.getCurrentData(root + "/a").getData()).equals("2")
                && tree.getCurrentChildren(root).size() == 2 && whole.get(root + "/b").isPresent());
        other.delete().forPath(root + "/a"); // the root stays: a PathChildrenCache would make it again
        other.delete().forPath(root + "/b");
        until("all are empty", () -> whole.size() == 1 && node.getCurrentData() == null && children.getCurrentData().isEmpty()
                && tree.getCurrentChildren(root).isEmpty());
        check(changes.get() >= 4, changes);
        whole.close();
        children.close();
        node.close();
        tree.close();
    }

    // ---- recipes ----

    static void locks(String root) throws Exception {
        AtomicInteger inside = new AtomicInteger(), most = new AtomicInteger(), done = new AtomicInteger();
        List<Thread> threads = new ArrayList<>();
        for (String server : SERVERS) {
            InterProcessMutex mutex = new InterProcessMutex(dial(server), root + "/mutex");
            threads.add(new Thread(() -> {
                try {
                    for (int i = 0; i < 8; i++) {
                        mutex.acquire();
                        most.accumulateAndGet(inside.incrementAndGet(), Math::max);
                        Thread.sleep(1);
                        inside.decrementAndGet();
                        mutex.release();
                        done.incrementAndGet();
                    }
                } catch (Exception error) {
                    error.printStackTrace();
                }
            }));
        }
        threads.forEach(Thread::start);
        for (Thread thread : threads)
            thread.join(30000);
        equal(most.get() + " " + done.get(), "1 24");
        CuratorFramework one = dial(SERVERS[0]), two = dial(SERVERS[1]);
        InterProcessReadWriteLock first = new InterProcessReadWriteLock(one, root + "/rw"), second = new InterProcessReadWriteLock(two, root + "/rw");
        first.readLock().acquire();
        check(second.readLock().acquire(5, TimeUnit.SECONDS), "readers share");
        check(!second.writeLock().acquire(200, TimeUnit.MILLISECONDS), "writers wait");
        first.readLock().release();
        second.readLock().release();
        check(second.writeLock().acquire(5, TimeUnit.SECONDS), "writer");
        InterProcessSemaphoreV2 semaphore = new InterProcessSemaphoreV2(one, root + "/sem", 2), same = new InterProcessSemaphoreV2(two, root + "/sem", 2);
        Lease lease = semaphore.acquire();
        same.acquire();
        equal(same.acquire(200, TimeUnit.MILLISECONDS), null);
        semaphore.returnLease(lease);
        check(same.acquire(5, TimeUnit.SECONDS) != null, "lease");
    }

    static void leaders(String root) throws Exception {
        List<LeaderLatch> latches = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            LeaderLatch latch = new LeaderLatch(dial(SERVERS[i]), root + "/latch", "l" + i);
            latches.add(latch);
            latch.start();
        }
        for (int turn = 0; turn < 2; turn++) {
            until("one leads", () -> latches.stream().filter(LeaderLatch::hasLeadership).count() == 1);
            LeaderLatch leader = latches.stream().filter(LeaderLatch::hasLeadership).findFirst().get();
            equal(latches.get(0).getLeader().getId(), leader.getId());
            latches.remove(leader);
            leader.close();
        }
        latches.get(0).close();
        List<String> led = new CopyOnWriteArrayList<>();
        List<LeaderSelector> selectors = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            String name = "s" + i;
            LeaderSelector selector = new LeaderSelector(dial(SERVERS[i]), root + "/select", new LeaderSelectorListenerAdapter() {
                public void takeLeadership(CuratorFramework client) throws Exception {
                    led.add(name);
                    Thread.sleep(20);
                }
            });
            selector.start();
            selectors.add(selector);
        }
        until("each led once", () -> new TreeSet<>(led).size() == 3);
        equal(led.size(), 3);
        selectors.forEach(LeaderSelector::close);
    }

    static void barriers(String root) throws Exception {
        CuratorFramework one = dial(SERVERS[0]), two = dial(SERVERS[1]);
        DistributedBarrier barrier = new DistributedBarrier(one, root + "/barrier"), same = new DistributedBarrier(two, root + "/barrier");
        barrier.setBarrier();
        two.sync().forPath(root);
        check(!same.waitOnBarrier(200, TimeUnit.MILLISECONDS), "held");
        barrier.removeBarrier();
        check(same.waitOnBarrier(5, TimeUnit.SECONDS), "lifted");
        DistributedDoubleBarrier left = new DistributedDoubleBarrier(one, root + "/double", 2), right = new DistributedDoubleBarrier(two, root + "/double", 2);
        Future<Boolean> entered = ForkJoinPool.commonPool().submit(() -> left.enter(10, TimeUnit.SECONDS) && left.leave(10, TimeUnit.SECONDS));
        check(right.enter(10, TimeUnit.SECONDS) && right.leave(10, TimeUnit.SECONDS), "right");
        check(entered.get(10, TimeUnit.SECONDS), "left");
    }

    static void counts(String root) throws Exception {
        CuratorFramework one = dial(SERVERS[0]), two = dial(SERVERS[1]);
        SharedCount count = new SharedCount(one, root + "/count", 5), same = new SharedCount(two, root + "/count", 5);
        count.start();
        same.start();
        count.setCount(6);
        until("told", () -> same.getCount() == 6);
        check(same.trySetCount(same.getVersionedValue(), 7), "compare and set");
        until("told back", () -> count.getCount() == 7);
        count.close();
        same.close();
        List<Future<?>> work = new ArrayList<>();
        for (CuratorFramework client : List.of(one, two, dial(SERVERS[2])))
            work.add(ForkJoinPool.commonPool().submit(() -> {
                DistributedAtomicLong number = new DistributedAtomicLong(client, root + "/long", new RetryNTimes(200, 2));
                for (int i = 0; i < 20; i++)
                    check(number.increment().succeeded(), "increment");
                return null;
            }));
        for (Future<?> each : work)
            each.get(30, TimeUnit.SECONDS);
        equal(new DistributedAtomicLong(one, root + "/long", new RetryNTimes(9, 9)).get().postValue(), 60L);
    }

    static void queues(String root) throws Exception {
        CuratorFramework one = dial(SERVERS[0]), two = dial(SERVERS[1]);
        Set<String> got = ConcurrentHashMap.newKeySet();
        QueueSerializer<String> plain = new QueueSerializer<>() {
            public byte[] serialize(String item) {
                return bytes(item);
            }

            public String deserialize(byte[] item) {
                return new String(item);
            }
        };
        QueueConsumer<String> taker = new QueueConsumer<>() {
            public void consumeMessage(String message) {
                got.add(message);
            }

            public void stateChanged(CuratorFramework client, ConnectionState state) {
            }
        };
        DistributedQueue<String> put = QueueBuilder.builder(one, null, plain, root + "/queue").buildQueue();
        DistributedQueue<String> take = QueueBuilder.builder(two, taker, plain, root + "/queue").lockPath(root + "/locks").buildQueue();
        put.start();
        take.start();
        for (int i = 0; i < 20; i++)
            put.put("item " + i);
        until("all taken", () -> got.size() == 20);
        put.close();
        take.close();
        SimpleDistributedQueue simple = new SimpleDistributedQueue(one, root + "/simple"), other = new SimpleDistributedQueue(two, root + "/simple");
        simple.offer(bytes("a"));
        simple.offer(bytes("b"));
        equal(new String(other.take()), "a");
        equal(new String(other.poll(5, TimeUnit.SECONDS)), "b");
        equal(other.poll(100, TimeUnit.MILLISECONDS), null);
    }

    static void groups(String root) throws Exception {
        CuratorFramework one = dial(SERVERS[0]), two = dial(SERVERS[1]);
        GroupMember first = new GroupMember(one, root + "/group", "first"), second = new GroupMember(two, root + "/group", "second", bytes("2"));
        first.start();
        second.start();
        until("both", () -> first.getCurrentMembers().keySet().equals(Set.of("first", "second")));
        second.close();
        until("one", () -> first.getCurrentMembers().size() == 1);
        first.close();
        PersistentNode node = new PersistentNode(one, CreateMode.EPHEMERAL, false, root + "/node", bytes("here"));
        node.start();
        check(node.waitForInitialCreate(5, TimeUnit.SECONDS), "made");
        two.sync().forPath(root);
        two.delete().forPath(root + "/node");
        until("made again", () -> two.checkExists().forPath(root + "/node") != null);
        node.close();
        PersistentTtlNode ttl = new PersistentTtlNode(one, root + "/ttl", 1000, bytes("t"));
        ttl.start();
        check(ttl.waitForInitialCreate(5, TimeUnit.SECONDS), "made");
        ttl.close();
    }

    // ---- kills ----

    static void kills(String root) throws Exception {
        List<CuratorFramework> clients = new ArrayList<>();
        List<Long> ids = new ArrayList<>();
        Set<String> acked = ConcurrentHashMap.newKeySet();
        AtomicIntegerArray progress = new AtomicIntegerArray(3);
        AtomicBoolean stop = new AtomicBoolean(), lost = new AtomicBoolean();
        List<Thread> threads = new ArrayList<>();
        dial(HOSTS).create().forPath(root);
        for (int i = 0; i < 3; i++) {
            int number = i;
            CuratorFramework client = dial(HOSTS);
            clients.add(client);
            ids.add(client.getZookeeperClient().getZooKeeper().getSessionId());
            client.getConnectionStateListenable().addListener((c, state) -> lost.compareAndSet(false, state == ConnectionState.LOST));
            client.create().withMode(CreateMode.EPHEMERAL).forPath(root + "/alive-" + i);
            threads.add(new Thread(() -> {
                for (int n = 0; !stop.get(); n++) {
                    try { // each is made once and only once, whatever is lost on the way
                        acked.add(client.create().withProtection().withMode(CreateMode.PERSISTENT_SEQUENTIAL).forPath(root + "/w" + number + "-" + n + "-"));
                        progress.incrementAndGet(number);
                    } catch (Exception error) {
                        error.printStackTrace();
                    }
                }
            }));
        }
        CuratorFramework watching = dial(HOSTS);
        CuratorCache cache = CuratorCache.build(watching, root);
        cache.start();
        LeaderLatch latch = new LeaderLatch(clients.get(0), root + "/latch");
        latch.start();
        latch.await(10, TimeUnit.SECONDS);
        threads.forEach(Thread::start);
        for (int turn = 0; turn < 4; turn++) {
            String node = turn < 3 ? String.valueOf(turn + 1) : steer("leader");
            steer("kill " + node);
            int[] before = {progress.get(0), progress.get(1), progress.get(2)};
            until("all write again", () -> progress.get(0) > before[0] + 3 && progress.get(1) > before[1] + 3 && progress.get(2) > before[2] + 3);
            steer("start " + node);
        }
        stop.set(true);
        for (Thread thread : threads)
            thread.join(20000);
        check(!lost.get(), "a session was lost");
        for (int i = 0; i < 3; i++)
            equal(clients.get(i).getZookeeperClient().getZooKeeper().getSessionId(), ids.get(i));
        for (String server : SERVERS) {
            CuratorFramework reader = dial(server);
            reader.sync().forPath(root);
            Set<String> there = new HashSet<>();
            for (String name : reader.getChildren().forPath(root))
                there.add(root + "/" + name);
            Set<String> gone = new HashSet<>(acked);
            gone.removeAll(there);
            equal(gone, Set.of());
            equal(there.stream().filter(each -> each.contains("_c_")).count(), (long) acked.size()); // none twice
            for (int i = 0; i < 3; i++)
                equal(reader.checkExists().forPath(root + "/alive-" + i).getEphemeralOwner(), ids.get(i));
        }
        until("the cache has all", () -> acked.stream().allMatch(each -> cache.get(each).isPresent()));
        until("leads still", latch::hasLeadership);
        latch.close();
        cache.close();
    }

    public static void main(String[] args) {
        tell("curator: nodes, containers, TTL, protected creates, background calls, namespaces", CuratorStories::nodes);
        tell("curator: a TTL node runs out", CuratorStories::lived);
        tell("curator: transactions, and many reads at once", CuratorStories::transactions);
        tell("curator: rights by digest", CuratorStories::rights);
        tell("curator: the ensemble's configuration is tracked and changed", CuratorStories::configuration);
        tell("curator: persistent recursive watches, one-time watches, and their removal", CuratorStories::watchers);
        tell("curator: CuratorCache, PathChildrenCache, NodeCache and TreeCache follow", CuratorStories::caches);
        tell("curator: mutex, read-write lock, semaphore", CuratorStories::locks);
        tell("curator: leader latch and leader selector", CuratorStories::leaders);
        tell("curator: barriers", CuratorStories::barriers);
        tell("curator: shared counts and atomic numbers", CuratorStories::counts);
        tell("curator: queues", CuratorStories::queues);
        tell("curator: group members and persistent nodes", CuratorStories::groups);
        tell("curator: every server is killed in turn: no session, no acknowledged write, no leadership is lost", CuratorStories::kills);
        end();
    }
}
