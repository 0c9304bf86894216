import java.io.PrintStream;
import java.security.KeyPair;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.CertPathValidator;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Set;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.est.CACertsResponse;
import org.bouncycastle.est.CSRRequestResponse;
import org.bouncycastle.est.ESTAuth;
import org.bouncycastle.est.ESTService;
import org.bouncycastle.est.EnrollmentResponse;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.pkcs.PKCS10CertificationRequestBuilder;

/** The operations of EST, and what is printed of their answers. */
final class Operations {
    private final Options options;
    private final PrintStream out;
    private final ESTService service;

    Operations(Options options, PrintStream out) throws Exception {
        this.options = options;
        this.out = out;
        service = Connection.open(options);
    }

    void run(String operation) throws Exception {
        switch (operation) {
            case "cacerts" -> caCertificates();
            case "csrattrs" -> attributes();
            case "simpleenroll" -> enroll(false);
            case "simplereenroll" -> enroll(true);
            case "serverkeygen" -> serverKey();
            default -> throw new IllegalArgumentException("unknown operation: " + operation);
        }
    }

    private void caCertificates() throws Exception {
        CACertsResponse answer = service.getCACerts();
        out.println("trusted=" + answer.isTrusted());
        for (X509CertificateHolder holder : answer.getCertificateStore().getMatches(null)) {
            out.println("certificate=" + holder.getSubject());
        }
    }

    private void attributes() throws Exception {
        CSRRequestResponse answer = service.getCSRAttributes();
        out.println("attributes=" + answer.hasAttributesResponse());
        if (answer.hasAttributesResponse()) {
            for (ASN1ObjectIdentifier wanted : answer.getAttributesResponse().getRequirements()) {
                out.println("wanted=" + wanted);
            }
        }
    }

    /**
     * Options: subject, and key-kind, or the old-cert and old-key of a certificate that is renewed; pop=tls-unique ties
     * the request to its connection; wait=yes comes back when the server asks for that.
     */
    private void enroll(boolean renew) throws Exception {
        KeyPair key = options.has("old-key")
                ? Credentials.keyPair(options.required("old-cert"), options.required("old-key"))
                : Requests.newKey(options.optional("key-kind", "ec"));
        PKCS10CertificationRequestBuilder request = Requests.request(options.required("subject"), key);
        ContentSigner signer = Requests.signer(key.getPrivate());
        ESTAuth authentication = Connection.authentication(options);
        EnrollmentResponse answer = options.optional("pop", "none").equals("tls-unique")
                ? service.simpleEnrollPoP(renew, request, signer, authentication)
                : service.simpleEnroll(renew, request.build(signer), authentication);
        issued(completed(answer), key.getPublic());
    }

    private void serverKey() throws Exception {
        KeyPair form = Requests.newKey(options.optional("key-kind", "ec"));
        PKCS10CertificationRequestBuilder request = Requests.request(options.required("subject"), form);
        ContentSigner signer = Requests.signer(form.getPrivate());
        EnrollmentResponse answer = service.simpleEnrollWithServersideCreation(
                request.build(signer), Connection.authentication(options));
        PrivateKeyInfo made = answer.getPrivateKeyInfo();
        X509Certificate certificate = issued(answer, null);
        // It is the key of the certificate when the one verifies what the other signs.
        byte[] text = "made by the server".getBytes("US-ASCII");
        Signature signature = Signature.getInstance(
                certificate.getPublicKey().getAlgorithm().equals("RSA") ? "SHA256withRSA" : "SHA256withECDSA", "BC");
        signature.initSign(new JcaPEMKeyConverter().getPrivateKey(made));
        signature.update(text);
        byte[] signed = signature.sign();
        signature.initVerify(certificate.getPublicKey());
        signature.update(text);
        out.println("key-fits=" + signature.verify(signed));
        out.println("key-is-new=" + !certificate.getPublicKey().equals(form.getPublic()));
    }

    /** Comes back as often as the server asks for it, when that is wanted. */
    private EnrollmentResponse completed(EnrollmentResponse answer) throws Exception {
        EnrollmentResponse current = answer;
        while (!current.isCompleted()) {
            out.println("pending=true");
            if (!options.optional("wait", "no").equals("yes")) {
                return current;
            }
            Thread.sleep(Math.max(0, current.getNotBefore() - System.currentTimeMillis()));
            current = service.simpleEnroll(current);
        }
        return current;
    }

    /** Checks what came as a careful client would: one certificate, of our key, under the anchor. */
    private X509Certificate issued(EnrollmentResponse answer, PublicKey key) throws Exception {
        if (!answer.isCompleted()) {
            return null;
        }
        JcaX509CertificateConverter converter = new JcaX509CertificateConverter();
        X509Certificate found = null;
        for (X509CertificateHolder holder : answer.getStore().getMatches(null)) {
            found = converter.getCertificate(holder);
            out.println("issued=" + holder.getSubject());
            out.println("serial=" + found.getSerialNumber().toString(16));
        }
        if (found == null) {
            throw new IllegalStateException("no certificate came");
        }
        if (key != null) {
            out.println("key-fits=" + found.getPublicKey().equals(key));
        }
        TrustAnchor anchor = new TrustAnchor(Credentials.certificate(options.required("anchor")), null);
        PKIXParameters parameters = new PKIXParameters(Set.of(anchor));
        parameters.setRevocationEnabled(false);
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        CertPathValidator.getInstance("PKIX").validate(factory.generateCertPath(List.of(found)), parameters);
        out.println("valid=true");
        return found;
    }
}
