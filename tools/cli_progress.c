#include "cli_progress.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "io/outfile.h"
#include "par/thread.h"

enum { FIRST_MS = 1000, EVERY_MS = 250, SIGNAL_POLL_MS = 200 };

static struct {
    struct tsl_progress *p;
    void (*say)(const void *ctx, char *buf, size_t cap);
    const void *ctx;
    struct tsl_mutex lock; /* guards stop */
    struct tsl_cond changed;
    struct tsl_thread thread;
    bool stop, line, shown;
    double start, write_start;
    uint64_t read_at_write;
} s;

static atomic_bool asked; /* by a signal, on any thread; without a lock */

static void on_ask(int sig)
{
    (void)sig;
    atomic_store(&asked, true);
}

static void on_death(int sig)
{
    tsl_outfile_unlink_all();
    signal(sig, SIG_DFL);
    raise(sig);
}

/* Seconds still to come; negative when it cannot be told.  Reading is timed by the bytes
 * of the files, writing by the bytes to be written; while reading, writing is expected to
 * take as long as reading will have taken. */
static double rest(double t)
{
    const struct tsl_progress *p = s.p;
    if (atomic_load(&p->phase) >= TSL_PHASE_WRITE) {
        uint64_t total = atomic_load(&p->bytes_to_write),
                 done = atomic_load(&p->bytes_out);
        if (!total || !done || done > total || t - s.write_start < 0.2)
            return -1;
        return (t - s.write_start) * ((double)total / (double)done - 1);
    }
    uint64_t total = atomic_load(&p->file_bytes_total),
             done = atomic_load(&p->file_bytes_read);
    if (!total || !done || done > total)
        return -1;
    double whole = (t - s.start) * (double)total / (double)done;
    return (atomic_load(&p->one_pass) ? whole : 2 * whole) - (t - s.start);
}

static void print_line(bool own_line)
{
    static const char *const name[] = { "starting", "reading", "writing", "finishing" };
    char in[16], rate[16], temp[16], left[32] = "";
    if (s.say) {
        char text[200];
        s.say(s.ctx, text, sizeof text);
        fprintf(stderr, "%s%s: %s%s", own_line ? "" : "\r\033[K", cli_name(), text,
                own_line ? "\n" : "");
        fflush(stderr);
        return;
    }
    double t = tsl_seconds();
    int phase = atomic_load(&s.p->phase);
    if (phase >= TSL_PHASE_WRITE && s.write_start == 0)
        s.write_start = t;
    bool writing = phase >= TSL_PHASE_WRITE;
    uint64_t bytes = atomic_load(writing ? &s.p->bytes_out : &s.p->bytes_in);
    uint64_t rows = atomic_load(writing ? &s.p->rows_out : &s.p->rows_in);
    double since = writing ? t - s.write_start : t - s.start, r = rest(t);
    if (r >= 0 && r < 360000)
        snprintf(left, sizeof left, ", %u:%02u left", (unsigned)(r / 60),
                 (unsigned)r % 60);
    fprintf(stderr, "%s%s: %s, %llu rows, %s, %s/s, %s on disk%s%s",
            own_line ? "" : "\r\033[K", cli_name(), name[phase], (unsigned long long)rows,
            cli_bytes(in, bytes),
            cli_bytes(rate, since > 0 ? (uint64_t)((double)bytes / since) : 0),
            cli_bytes(temp, atomic_load(&s.p->temp_bytes)), left, own_line ? "\n" : "");
    fflush(stderr);
}

static void progress_main(void *arg)
{
    (void)arg;
    tsl_mutex_lock(&s.lock);
    while (!s.stop) {
        unsigned wait = s.line ? (s.shown ? EVERY_MS : FIRST_MS) : SIGNAL_POLL_MS;
        int over = tsl_cond_wait_ms(&s.changed, &s.lock, wait);
        if (s.stop)
            break;
        if (atomic_exchange(&asked, false)) {
            print_line(true);
        } else if (over && s.line) {
            s.shown = true;
            print_line(false);
        }
    }
    tsl_mutex_unlock(&s.lock);
}

void cli_progress_say(void (*say)(const void *ctx, char *buf, size_t cap),
                      const void *ctx)
{
    s.say = say;
    s.ctx = ctx;
}

void cli_progress_start(struct tsl_progress *p, enum cli_progress_when when)
{
    s.p = p;
    s.start = tsl_seconds();
    s.line = when == CLI_PROGRESS_ALWAYS ||
             (when == CLI_PROGRESS_AUTO && isatty(STDERR_FILENO));
    signal(SIGXFSZ, SIG_IGN);
    static const int deadly[] = { SIGHUP, SIGINT, SIGTERM };
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) {
        struct sigaction old;
        /* what a parent has told us to ignore (nohup) stays ignored */
        if (sigaction(deadly[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            signal(deadly[i], on_death);
    }
    struct sigaction ask = { .sa_handler = on_ask, .sa_flags = SA_RESTART };
    sigaction(SIGUSR1, &ask, NULL);
    tsl_mutex_init(&s.lock);
    tsl_cond_init(&s.changed);
    /* without the thread there is no line: nothing else is lost */
    (void)tsl_thread_start(&s.thread, progress_main, NULL, NULL);
}

void cli_progress_stop(void)
{
    if (!s.p)
        return;
    tsl_mutex_lock(&s.lock);
    s.stop = true;
    tsl_cond_broadcast(&s.changed);
    tsl_mutex_unlock(&s.lock);
    tsl_thread_join(&s.thread);
    if (s.shown)
        fprintf(stderr, "\r\033[K");
    s.p = NULL;
}

bool cli_progress_shown(void)
{
    return s.shown;
}
