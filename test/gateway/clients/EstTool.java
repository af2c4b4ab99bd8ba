import java.io.FileReader;
import java.io.FileWriter;
import java.io.Reader;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Security;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.util.Collections;
import java.util.Set;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.est.CACertsResponse;
import org.bouncycastle.est.CSRRequestResponse;
import org.bouncycastle.est.ESTAuth;
import org.bouncycastle.est.ESTService;
import org.bouncycastle.est.EnrollmentResponse;
import org.bouncycastle.est.jcajce.JcaHttpAuthBuilder;
import org.bouncycastle.est.jcajce.JcaJceUtils;
import org.bouncycastle.est.jcajce.JsseESTServiceBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;
import org.bouncycastle.openssl.jcajce.JcaPEMWriter;
import org.bouncycastle.openssl.jcajce.JcaPKCS8Generator;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;
import org.bouncycastle.util.Store;

/**
 * An EST client on Bouncy Castle. Prints what it got, as words; writes PEM files.
 *
 *   EstTool HOST:PORT TRUST.pem cacerts OUT.pem
 *   EstTool HOST:PORT TRUST.pem csrattrs
 *   EstTool HOST:PORT TRUST.pem enrol CN PASSWORD OUT-PREFIX
 *   EstTool HOST:PORT TRUST.pem reenrol CN OLD-PREFIX OUT-PREFIX
 */
public final class EstTool {
    public static void main(String[] args) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        Set<TrustAnchor> trusted = Collections.singleton(new TrustAnchor(certificate(args[1]), null));
        JsseESTServiceBuilder builder =
            new JsseESTServiceBuilder(args[0], JcaJceUtils.getCertPathTrustManager(trusted, null));
        builder.withTimeout(60_000);
        switch (args[2]) {
            case "cacerts" -> caCerts(builder.build(), args[3]);
            case "csrattrs" -> csrAttributes(builder.build());
            case "enrol" -> enrol(builder.build(), args[3], auth(args[4]), false, args[5]);
            case "reenrol" -> enrol(builder.withKeyManagers(keyManagers(args[4])).build(), args[3], null, true, args[5]);
            default -> throw new IllegalArgumentException(args[2]);
        }
    }

    private static void caCerts(ESTService service, String out) throws Exception {
        CACertsResponse response = service.getCACerts();
        System.out.println("trusted " + response.isTrusted());
        writeAll(response.getCertificateStore(), out);
    }

    private static void csrAttributes(ESTService service) throws Exception {
        CSRRequestResponse response = service.getCSRAttributes();
        System.out.println("requirements " + response.getAttributesResponse().getRequirements().size());
    }

    private static void enrol(ESTService service, String name, ESTAuth auth, boolean again, String prefix)
        throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec("secp256r1"));
        KeyPair pair = generator.generateKeyPair();
        var request = new JcaPKCS10CertificationRequestBuilder(new X500Name("CN=" + name), pair.getPublic())
            .build(new JcaContentSignerBuilder("SHA256withECDSA").build(pair.getPrivate()));
        EnrollmentResponse response = service.simpleEnroll(again, request, auth);
        while (response.getStore() == null) {
            System.out.println("pending");
            Thread.sleep(Math.max(100, response.getNotBefore() - System.currentTimeMillis()));
            response = service.simpleEnroll(again, request, auth);
        }
        writeAll(response.getStore(), prefix + ".pem");
        write(new JcaPKCS8Generator(pair.getPrivate(), null), prefix + ".key");
        System.out.println("enrolled");
    }

    private static ESTAuth auth(String password) throws Exception {
        return new JcaHttpAuthBuilder(null, "device", password.toCharArray())
            .setNonceGenerator(new java.security.SecureRandom()).setProvider("BC").build();
    }

    private static KeyManager[] keyManagers(String prefix) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        char[] none = new char[0];
        store.setKeyEntry("device", key(prefix + ".key"), none, new X509Certificate[] {certificate(prefix + ".pem")});
        KeyManagerFactory factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        factory.init(store, none);
        return factory.getKeyManagers();
    }

    private static X509Certificate certificate(String path) throws Exception {
        return new JcaX509CertificateConverter().getCertificate((X509CertificateHolder) read(path));
    }

    private static PrivateKey key(String path) throws Exception {
        return new JcaPEMKeyConverter().getPrivateKey((PrivateKeyInfo) read(path));
    }

    private static Object read(String path) throws Exception {
        try (Reader reader = new FileReader(path); PEMParser parser = new PEMParser(reader)) {
            return parser.readObject();
        }
    }

    private static void writeAll(Store<X509CertificateHolder> certificates, String path) throws Exception {
        try (JcaPEMWriter writer = new JcaPEMWriter(new FileWriter(path))) {
            for (X509CertificateHolder one : certificates.getMatches(null)) writer.writeObject(one);
        }
    }

    private static void write(Object object, String path) throws Exception {
        try (JcaPEMWriter writer = new JcaPEMWriter(new FileWriter(path))) {
            writer.writeObject(object);
        }
    }
}
