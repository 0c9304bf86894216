import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.Security;
import java.util.logging.LogManager;
import org.bouncycastle.est.ESTException;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.jsse.provider.BouncyCastleJsseProvider;

/**
 * BouncyCastle's EST client, one operation a run.
 *
 * <p>usage: EstPeer OPERATION --option value ...
 *
 * <p>Prints lines of {@code name=value}. Exit status: 0 done, 3 the server answered with an HTTP status that the client
 * takes for a refusal ({@code status=}), 1 anything else; {@code error=} has what was said, cause by cause.
 */
public final class EstPeer {
    private static final int REFUSED = 3;

    private EstPeer() {}

    public static void main(String[] arguments) {
        // It tells its configuration to the standard error; what fails is told by the lines.
        LogManager.getLogManager().reset();
        Security.addProvider(new BouncyCastleProvider());
        Security.addProvider(new BouncyCastleJsseProvider());
        System.exit(run(arguments));
    }

    private static int run(String[] arguments) {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        try {
            Options options = new Options(arguments);
            new Operations(options, out).run(options.operation());
            return 0;
        } catch (ESTException refused) {
            tell(out, refused);
            if (refused.getStatusCode() == 0) {
                return 1;
            }
            out.println("status=" + refused.getStatusCode());
            return REFUSED;
        } catch (Exception failed) {
            tell(out, failed);
            return 1;
        }
    }

    private static void tell(PrintStream out, Throwable failed) {
        for (Throwable cause = failed; cause != null; cause = next(cause)) {
            String text = cause.getClass().getSimpleName() + ": " + cause.getMessage();
            out.println("error=" + text.replaceAll("\\s+", " "));
        }
    }

    private static Throwable next(Throwable cause) {
        return cause.getCause() == cause ? null : cause.getCause();
    }
}
