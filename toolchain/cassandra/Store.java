import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import org.apache.cassandra.service.CassandraDaemon;

/** Cassandra in this process, and a page that answers once clients can connect. Arguments: the address and the port of the page. */
public final class Store {
    public static void main(String[] arguments) throws Exception {
        CassandraDaemon daemon = new CassandraDaemon();
        daemon.activate();
        HttpServer page = HttpServer.create(new InetSocketAddress(arguments[0], Integer.parseInt(arguments[1])), 0);
        page.createContext("/", exchange -> {
            exchange.sendResponseHeaders(daemon.isNativeTransportRunning() ? 204 : 503, -1);
            exchange.close();
        });
        page.start();
    }
}
