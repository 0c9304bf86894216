import java.net.Socket;
import java.util.Collections;
import javax.net.ssl.X509TrustManager;
import org.bouncycastle.est.ESTAuth;
import org.bouncycastle.est.ESTService;
import org.bouncycastle.est.jcajce.ChannelBindingProvider;
import org.bouncycastle.est.jcajce.JcaHttpAuthBuilder;
import org.bouncycastle.est.jcajce.JsseDefaultHostnameAuthorizer;
import org.bouncycastle.est.jcajce.JsseESTServiceBuilder;
import org.bouncycastle.jsse.BCSSLSocket;

/** How the server is reached: TLS, whom to trust, who we are. */
final class Connection {
    private static final int TIMEOUT_MILLISECONDS = 60_000;

    private Connection() {}

    /** Options: host, port, anchor, tls (TLSv1.2, TLSv1.3), provider (BCJSSE, SunJSSE), label, cert and key. */
    static ESTService open(Options options) throws Exception {
        int port = Integer.parseInt(options.required("port"));
        String provider = options.optional("provider", "BCJSSE");
        X509TrustManager trust = Credentials.trust(options.required("anchor"), provider);
        JsseESTServiceBuilder builder = new JsseESTServiceBuilder(options.required("host"), port, trust);
        builder.withTLSVersion(options.optional("tls", "TLSv1.3"));
        builder.withProvider(provider);
        builder.withTimeout(TIMEOUT_MILLISECONDS);
        builder.withHostNameAuthorizer(new JsseDefaultHostnameAuthorizer(Collections.emptySet()));
        builder.withChannelBindingProvider(new Bindings());
        if (options.has("label")) {
            builder.withLabel(options.required("label"));
        }
        if (options.has("cert")) {
            String key = options.required("key");
            builder.withKeyManager(Credentials.identity(options.required("cert"), key, provider));
        }
        return builder.build();
    }

    /** By user and password, Basic or Digest as the server challenges; or nothing, when a certificate is to do. */
    static ESTAuth authentication(Options options) throws Exception {
        if (!options.has("user")) {
            return null;
        }
        char[] password = options.required("password").toCharArray();
        return new JcaHttpAuthBuilder(null, options.required("user"), password).setProvider("BC").build();
    }

    /** What ties a request to its connection, which only BouncyCastle's own TLS hands out. */
    private static final class Bindings implements ChannelBindingProvider {
        @Override
        public boolean canAccessChannelBinding(Socket socket) {
            return socket instanceof BCSSLSocket;
        }

        @Override
        public byte[] getChannelBinding(Socket socket, String binding) {
            return ((BCSSLSocket) socket).getConnection().getChannelBinding(binding);
        }
    }
}
