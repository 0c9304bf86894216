import java.io.FileInputStream;
import java.io.FileReader;
import java.io.InputStream;
import java.io.Reader;
import java.security.KeyPair;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.openssl.PEMKeyPair;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;

/** Certificates and keys from PEM files, as Java's TLS wants them. */
final class Credentials {
    private static final char[] IN_MEMORY = "in memory".toCharArray();

    private Credentials() {}

    static X509Certificate certificate(String path) throws Exception {
        try (InputStream file = new FileInputStream(path)) {
            return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(file);
        }
    }

    static PrivateKey privateKey(String path) throws Exception {
        try (Reader file = new FileReader(path)) {
            Object found = new PEMParser(file).readObject();
            PrivateKeyInfo info = found instanceof PEMKeyPair
                    ? ((PEMKeyPair) found).getPrivateKeyInfo()
                    : (PrivateKeyInfo) found;
            return new JcaPEMKeyConverter().getPrivateKey(info);
        }
    }

    /** The key of this file with the public half of its certificate. */
    static KeyPair keyPair(String certificate, String key) throws Exception {
        return new KeyPair(certificate(certificate).getPublicKey(), privateKey(key));
    }

    /** For the TLS of this provider; BouncyCastle's does not work with the trust manager of Java's own. */
    static X509TrustManager trust(String anchor, String provider) throws Exception {
        KeyStore anchors = KeyStore.getInstance("PKCS12");
        anchors.load(null, null);
        anchors.setCertificateEntry("anchor", certificate(anchor));
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX", provider);
        factory.init(anchors);
        for (TrustManager manager : factory.getTrustManagers()) {
            if (manager instanceof X509TrustManager) {
                return (X509TrustManager) manager;
            }
        }
        throw new IllegalStateException("this Java has no trust manager for X.509");
    }

    static KeyManager identity(String certificate, String key, String provider) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        X509Certificate[] chain = {certificate(certificate)};
        store.setKeyEntry("client", privateKey(key), IN_MEMORY, chain);
        KeyManagerFactory factory = KeyManagerFactory.getInstance("PKIX", provider);
        factory.init(store, IN_MEMORY);
        return factory.getKeyManagers()[0];
    }
}
