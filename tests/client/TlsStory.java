// ZooKeeper's own client over TLS (by Netty). Run by zookeeper_tls.mjs with the client's properties.
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;

public class TlsStory {
    public static void main(String[] args) throws Exception {
        CountDownLatch connected = new CountDownLatch(1);
        ZooKeeper client = new ZooKeeper(args[0], 10000, event -> {
            if (event.getState() == KeeperState.SyncConnected) connected.countDown();
        });
        if (!connected.await(20, TimeUnit.SECONDS)) throw new IllegalStateException("not connected");
        client.create("/java", new byte[500000], Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        if (client.getData("/java", false, null).length != 500000) throw new IllegalStateException("data");
        System.out.println(client.getACL("/java", null).get(0).getId().getId());
        client.close();
        System.exit(0);
    }
}
