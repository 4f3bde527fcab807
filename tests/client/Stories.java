// What the Java programs of these tests share: stories that are told one by one, with their time and
// what failed, and lines that steer the cluster ("@ kill 2"), which zookeeper_lib.mjs answers.
import java.util.*;
import java.util.concurrent.*;

class Stories {
    static final String HOSTS = System.getenv("HOSTS");
    static final String[] SERVERS = HOSTS.split(",");
    static final List<AutoCloseable> OPEN = new CopyOnWriteArrayList<>(); // closed at a story's end
    private static final Scanner ANSWERS = new Scanner(System.in);
    private static int failed;

    interface Story {
        void run(String root) throws Exception;
    }

    interface Question {
        boolean ask() throws Exception;
    }

    static String steer(String words) {
        System.out.println("@ " + words);
        String answer = ANSWERS.nextLine();
        check(!answer.startsWith("error"), answer);
        return answer;
    }

    static void check(boolean holds, Object text) {
        if (!holds)
            throw new AssertionError(String.valueOf(text));
    }

    static void equal(Object actual, Object expected) {
        check(Objects.equals(actual, expected), actual + " instead of " + expected);
    }

    static byte[] bytes(Object text) {
        return String.valueOf(text).getBytes();
    }

    static void until(String what, Question question) throws Exception {
        long end = System.nanoTime() + 20_000_000_000L;
        Object last = null;
        while (System.nanoTime() < end) {
            try {
                if (question.ask())
                    return;
            } catch (Exception error) {
                last = error;
            }
            Thread.sleep(10);
        }
        throw new AssertionError(what + ": not in 20 s (last: " + last + ")");
    }

    static void refused(Class<? extends Exception> kind, Callable<?> call) throws Exception {
        Object got;
        try {
            got = call.call();
        } catch (Exception error) {
            check(kind.isInstance(error), error);
            return;
        }
        throw new AssertionError(got + " instead of " + kind.getSimpleName());
    }

    /** Runs a story, which gets the path of a root that is its own. */
    static void tell(String name, Story story) {
        long began = System.nanoTime();
        ExecutorService one = Executors.newSingleThreadExecutor(run -> {
            Thread thread = new Thread(run);
            thread.setDaemon(true);
            return thread;
        });
        Throwable problem = null;
        try {
            one.submit(() -> {
                story.run("/" + UUID.randomUUID().toString().substring(0, 8));
                return null;
            }).get(60, TimeUnit.SECONDS);
        } catch (ExecutionException error) {
            problem = error.getCause();
        } catch (Exception error) {
            problem = error;
        }
        close_all();
        System.out.printf("%s %s (%d ms)%n", problem == null ? "ok" : "not ok", name,
                (System.nanoTime() - began) / 1_000_000);
        if (problem != null) {
            failed++;
            System.out.println("    " + problem);
            for (StackTraceElement at : problem.getStackTrace())
                if (at.toString().contains("Stories"))
                    System.out.println("        " + at);
        }
    }

    private static void close_all() {
        for (AutoCloseable each : OPEN)
            try {
                each.close();
            } catch (Exception error) {
                System.err.println(error);
            }
        OPEN.clear();
    }

    static void end() {
        System.out.flush();
        Runtime.getRuntime().halt(failed == 0 ? 0 : 1);
    }
}
