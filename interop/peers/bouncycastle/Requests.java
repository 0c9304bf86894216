import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.spec.ECGenParameterSpec;
import javax.security.auth.x500.X500Principal;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequestBuilder;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;

/** Keys, and requests for certificates of them. */
final class Requests {
    private Requests() {}

    /** "ec" for P-256, "ec384", "rsa" for 2048 bits. */
    static KeyPair newKey(String kind) throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance(kind.startsWith("ec") ? "EC" : "RSA");
        switch (kind) {
            case "ec" -> generator.initialize(new ECGenParameterSpec("secp256r1"));
            case "ec384" -> generator.initialize(new ECGenParameterSpec("secp384r1"));
            case "rsa" -> generator.initialize(2048);
            default -> throw new IllegalArgumentException("unknown kind of key: " + kind);
        }
        return generator.generateKeyPair();
    }

    static PKCS10CertificationRequestBuilder request(String subject, KeyPair key) {
        return new JcaPKCS10CertificationRequestBuilder(new X500Principal(subject), key.getPublic());
    }

    static ContentSigner signer(PrivateKey key) throws Exception {
        String algorithm = key.getAlgorithm().equals("RSA") ? "SHA256withRSA" : "SHA256withECDSA";
        return new JcaContentSignerBuilder(algorithm).build(key);
    }
}
