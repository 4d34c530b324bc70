import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.opensearch.common.logging.LogConfigurator;
import org.opensearch.common.settings.Setting;
import org.opensearch.common.settings.Settings;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.Plugin;
import org.opensearch.transport.Netty4Plugin;

/** OpenSearch as one node. Arguments: the address and the port of its API, and the folder of its data. */
public final class Store extends Node {
    /** Lets an index be made as if on another day, which a node otherwise keeps to itself: for trying what deletes old ones. */
    public static final class Backdating extends Plugin {
        @Override
        public List<Setting<?>> getSettings() {
            return List.of(Setting.longSetting("index.creation_date", -1L, -1L, Setting.Property.IndexScope));
        }
    }

    private Store(Settings settings) {
        super(
            InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "store"),
            List.of(Netty4Plugin.class, Backdating.class),
            false);
    }

    public static void main(String[] arguments) throws Exception {
        LogConfigurator.setNodeName("store");
        Store store = new Store(
            Settings.builder()
                .put("cluster.name", "store")
                .put("node.name", "store")
                .put("discovery.type", "single-node")
                .put("network.host", arguments[0])
                .put("http.port", arguments[1])
                .put("transport.port", Integer.parseInt(arguments[1]) + 100)
                .put("path.home", arguments[2])
                .put("path.data", Path.of(arguments[2], "data").toString())
                // A developer's disk is full more often than not.
                .put("cluster.routing.allocation.disk.threshold_enabled", false)
                .put("bootstrap.memory_lock", false)
                .build());
        CountDownLatch ended = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                store.close();
            } catch (java.io.IOException error) {
                error.printStackTrace();
            }
            ended.countDown();
        }));
        store.start();
        ended.await();
    }
}
