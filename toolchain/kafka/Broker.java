import com.sun.net.httpserver.HttpServer;
import java.io.FileReader;
import java.io.Reader;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;
import kafka.tools.StorageTool;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.utils.Time;

/**
 * Kafka as one node, with one topic and one user, and a page that answers once both are there.
 *
 * <p>The argument is a file of Kafka's own properties. Beside them it has {@code trial.page} (host:port of the page), {@code trial.admin}
 * (host:port of a listener without a login), {@code trial.topic}, {@code trial.partitions}, {@code trial.retention.ms}, and where clients log
 * in {@code trial.mechanism}. The user's name and password are in the variables KAFKA_USERNAME and KAFKA_PASSWORD.
 */
public final class Broker {
    private static final String CLUSTER = "dmlydGVuZ2luZS10cmlhbA";

    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        try (Reader file = new FileReader(arguments[0])) {
            properties.load(file);
        }
        StorageTool.execute(new String[] {"format", "--ignore-formatted", "--cluster-id", CLUSTER, "--config", arguments[0]}, System.out);
        String mechanism = properties.getProperty("trial.mechanism");
        if ("PLAIN".equals(mechanism)) {
            properties.put("listener.name.clients.plain.sasl.jaas.config", plain());
        }
        KafkaRaftServer server = new KafkaRaftServer(KafkaConfig.fromProps(own(properties)), Time.SYSTEM);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            server.shutdown();
            server.awaitShutdown();
        }));
        server.startup();
        Map<String, Object> internal = Map.of(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, properties.getProperty("trial.admin"));
        try (Admin admin = Admin.create(internal)) {
            makeTopic(admin, properties);
            if (mechanism != null && mechanism.startsWith("SCRAM")) {
                makeUser(admin, mechanism);
            }
        }
        serve(properties.getProperty("trial.page"));
        server.awaitShutdown();
    }

    /** Kafka's own properties alone, since it warns of others. */
    private static Properties own(Properties properties) {
        Properties found = new Properties();
        properties.stringPropertyNames().stream()
            .filter(name -> !name.startsWith("trial."))
            .forEach(name -> found.put(name, properties.getProperty(name)));
        return found;
    }

    private static String plain() {
        String login = "org.apache.kafka.common.security.plain.PlainLoginModule required user_%s=\"%s\";";
        return String.format(login, System.getenv("KAFKA_USERNAME"), System.getenv("KAFKA_PASSWORD"));
    }

    private static void makeTopic(Admin admin, Properties properties) throws InterruptedException, ExecutionException {
        int partitions = Integer.parseInt(properties.getProperty("trial.partitions"));
        NewTopic topic = new NewTopic(properties.getProperty("trial.topic"), Optional.of(partitions), Optional.of((short) 1))
            .configs(Map.of("retention.ms", properties.getProperty("trial.retention.ms")));
        try {
            admin.createTopics(List.of(topic)).all().get();
        } catch (ExecutionException error) {
            if (!(error.getCause() instanceof TopicExistsException)) {
                throw error;
            }
        }
    }

    private static void makeUser(Admin admin, String mechanism) throws InterruptedException, ExecutionException {
        ScramCredentialInfo how = new ScramCredentialInfo(ScramMechanism.fromMechanismName(mechanism), 4096);
        admin.alterUserScramCredentials(List.of(
            new UserScramCredentialUpsertion(System.getenv("KAFKA_USERNAME"), how, System.getenv("KAFKA_PASSWORD")))).all().get();
    }

    private static void serve(String address) throws java.io.IOException {
        int colon = address.lastIndexOf(':');
        InetSocketAddress place = new InetSocketAddress(address.substring(0, colon), Integer.parseInt(address.substring(colon + 1)));
        HttpServer page = HttpServer.create(place, 0);
        page.createContext("/", exchange -> {
            exchange.sendResponseHeaders(204, -1);
            exchange.close();
        });
        page.start();
    }
}
