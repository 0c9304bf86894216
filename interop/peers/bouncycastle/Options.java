import java.util.HashMap;
import java.util.Map;

/** The command line: an operation, then options with one value each. */
final class Options {
    private final String operation;
    private final Map<String, String> values = new HashMap<>();

    Options(String[] arguments) {
        if (arguments.length % 2 == 0) {
            throw new IllegalArgumentException("usage: EstPeer OPERATION --option value ...");
        }
        operation = arguments[0];
        for (int at = 1; at < arguments.length; at += 2) {
            if (!arguments[at].startsWith("--")) {
                throw new IllegalArgumentException("not an option: " + arguments[at]);
            }
            values.put(arguments[at].substring(2), arguments[at + 1]);
        }
    }

    String operation() {
        return operation;
    }

    boolean has(String name) {
        return values.containsKey(name);
    }

    String optional(String name, String otherwise) {
        return values.getOrDefault(name, otherwise);
    }

    String required(String name) {
        String value = values.get(name);
        if (value == null) {
            throw new IllegalArgumentException("--" + name + " is missing");
        }
        return value;
    }
}
