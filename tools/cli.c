#include "cli.h"

#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/parse.h"
#include "base/quote.h"
#include "io/file.h"

#ifndef TSL_VERSION
#define TSL_VERSION "0.1"
#endif

int cli_misuse_status = 1;
static const char *called_as = "teasel";

const char *cli_name(void)
{
    return called_as;
}

static void complain(const char *fmt, va_list ap)
{
    char msg[1024];
    vsnprintf(msg, sizeof msg, fmt, ap);
    fprintf(stderr, "%s: %s\n", called_as, msg);
}

void cli_misuse(bool hint, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    complain(fmt, ap);
    va_end(ap);
    if (hint)
        fprintf(stderr, "Try '%s --help' for more information.\n", called_as);
    exit(cli_misuse_status);
}

void cli_warn(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    complain(fmt, ap);
    va_end(ap);
}

static bool at_end(const struct cli_opt *o)
{
    return !o->letter && !o->name && !o->help;
}

/* ---- help ---- */

enum { HELP_COLUMN = 30 };

static void print_option(const struct cli_opt *o)
{
    char left[80];
    int n = 0;
    if (o->kind == CLI_TEXT) {
        printf("\n%s\n", o->help);
        return;
    }
    n += snprintf(left, sizeof left, o->letter ? "  -%c" : "    ", o->letter);
    if (o->name)
        n += snprintf(left + n, sizeof left - (size_t)n, "%s--%s",
                      o->letter ? ", " : "  ", o->name);
    if (o->arg)
        n += snprintf(left + n, sizeof left - (size_t)n, o->name ? "=%s" : " %s", o->arg);
    printf("%-*s", HELP_COLUMN - 1, left);
    if (n >= HELP_COLUMN - 1)
        printf("\n%*s", HELP_COLUMN - 1, "");
    for (const char *p = o->help; *p;) {
        size_t k = strcspn(p, "\n");
        printf(" %.*s\n", (int)k, p);
        p += k + (p[k] == '\n');
        if (*p)
            printf("%*s", HELP_COLUMN - 1, "");
    }
}

static void print_help(const struct cli_tool *t)
{
    printf("Usage: %s %s\n%s\n", called_as, t->usage, t->summary);
    for (const struct cli_opt *o = t->opts; !at_end(o); o++)
        print_option(o);
    printf("      --help                  show this and exit\n"
           "      --version               show the version and exit\n"
           "\n%s",
           t->epilog);
}

static void finish_text(void)
{
    if (fflush(stdout) != 0 || ferror(stdout) || fclose(stdout) != 0)
        cli_misuse(false, "write error: %s", strerror(errno));
    exit(0);
}

/* ---- parsing ---- */

static const struct cli_opt help_opt = {
    0, "help", NULL, CLI_FLAG, NULL, "", NULL, true
};
static const struct cli_opt version_opt = { 0,    "version", NULL, CLI_FLAG,
                                            NULL, "",        NULL, true };

/* Edit distance up to 3, for "did you mean". */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[64];
    size_t n = strlen(b);
    if (n >= 63 || strlen(a) >= 63)
        return 99;
    for (size_t j = 0; j <= n; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= n; j++) {
            unsigned up = row[j], best = diagonal + (a[i - 1] != b[j - 1]);
            best = best < up + 1 ? best : up + 1;
            best = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
            diagonal = up;
            row[j] = best;
        }
    }
    return row[n];
}

/* The option that name (n bytes) stands for: itself, or what it abbreviates without
 * doubt. Where a classic option and new ones share the abbreviation, the classic one is
 * meant. */
static const struct cli_opt *find_long(const struct cli_tool *t, const char *name,
                                       size_t n)
{
    const struct cli_opt *match = NULL, *classic = NULL, *near = NULL;
    unsigned nmatch = 0, nclassic = 0, nearest = 3;
    char copy[64], list[512] = "";
    snprintf(copy, sizeof copy, "%.*s", (int)n, name);
    for (const struct cli_opt *o = t->opts;; o++) {
        bool last = at_end(o);
        for (int k = 0; k < (last ? 2 : 1); k++) {
            const struct cli_opt *c = !last ? o : k == 0 ? &help_opt : &version_opt;
            if (!c->name)
                continue;
            if (strncmp(c->name, name, n) == 0) {
                if (strlen(c->name) == n)
                    return c;
                /* two names for one thing are no ambiguity */
                if (!match || match->to != c->to || !c->to) {
                    nmatch++;
                    size_t l = strlen(list);
                    snprintf(list + l, sizeof list - l, " '--%s'", c->name);
                }
                match = c;
                if (c->classic) {
                    classic = c;
                    nclassic++;
                }
            } else if (distance(copy, c->name) < nearest) {
                nearest = distance(copy, c->name);
                near = c;
            }
        }
        if (last)
            break;
    }
    if (nclassic == 1)
        return classic;
    if (nmatch == 1)
        return match;
    if (nmatch > 1)
        cli_misuse(true, "option '--%s' is ambiguous; possibilities:%s", copy, list);
    if (near)
        cli_misuse(true, "unrecognized option '--%s'; did you mean '--%s'?", copy,
                   near->name);
    cli_misuse(true, "unrecognized option '--%s'", copy);
}

static const struct cli_opt *find_short(const struct cli_tool *t, char c)
{
    for (const struct cli_opt *o = t->opts; !at_end(o); o++)
        if (o->letter == c)
            return o;
    cli_misuse(true, "invalid option -- '%c'", c);
}

static void apply(const struct cli_tool *t, const struct cli_opt *o, const char *arg)
{
    struct tsl_err err = { 0 };
    if (o == &help_opt) {
        print_help(t);
        finish_text();
    }
    if (o == &version_opt) {
        printf("%s (teasel) %s\nMIT licence. Part of teasel: text into training data.\n",
               t->name, TSL_VERSION);
        finish_text();
    }
    switch (o->kind) {
    case CLI_FLAG: *(bool *)o->to = true; break;
    case CLI_OFF: *(bool *)o->to = false; break;
    case CLI_STR: *(const char **)o->to = arg; break;
    case CLI_SIZE:
        if (!tsl_parse_size(arg, t->memory, o->to))
            cli_misuse(false, "invalid size for --%s: %s (say 64M, 1.5G or 10%%)",
                       o->name, tsl_quote(arg).s);
        break;
    case CLI_COUNT:
        if (!tsl_parse_u64(arg, o->to, NULL))
            cli_misuse(false, "invalid number for --%s: %s", o->name, tsl_quote(arg).s);
        break;
    case CLI_CALL:
        if (o->call(o->to, arg, &err) == 0)
            break;
        if (!o->classic)
            cli_misuse(false, "--%s: %s", o->name, err.msg);
        cli_misuse(false, "%s", err.msg);
        break;
    case CLI_TEXT: break;
    }
}

/* One argument that begins with "--"; may use up the next. */
static void parse_long(const struct cli_tool *t, char **argv, int argc, int *i)
{
    const char *s = argv[*i] + 2, *eq = strchr(s, '=');
    const struct cli_opt *o = find_long(t, s, eq ? (size_t)(eq - s) : strlen(s));
    const char *arg = eq ? eq + 1 : NULL;
    if (arg && !o->arg)
        cli_misuse(true, "option '--%s' doesn't allow an argument", o->name);
    if (o->arg && !arg) {
        if (*i + 1 >= argc)
            cli_misuse(true, "option '--%s' requires an argument", o->name);
        arg = argv[++*i];
    }
    apply(t, o, arg);
}

/* A bundle of short options; the last may have its argument behind it or next. */
static void parse_short(const struct cli_tool *t, char **argv, int argc, int *i)
{
    for (const char *s = argv[*i] + 1; *s; s++) {
        const struct cli_opt *o = find_short(t, *s);
        if (!o->arg) {
            apply(t, o, NULL);
            continue;
        }
        if (s[1]) {
            apply(t, o, s + 1);
        } else {
            if (*i + 1 >= argc)
                cli_misuse(true, "option requires an argument -- '%c'", *s);
            apply(t, o, argv[++*i]);
        }
        return;
    }
}

char **cli_parse(const struct cli_tool *t, int argc, char **argv, size_t *n)
{
    bool strict = getenv("POSIXLY_CORRECT") != NULL, only_operands = false;
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    int out = 0;
    called_as = slash ? slash + 1 : argc > 0 ? argv[0] : t->name;
#ifdef M_ARENA_MAX
    /* one heap: a heap a thread would cost address space and memory that nobody asked for
     */
    mallopt(M_ARENA_MAX, 1);
#endif
    for (int i = 1; i < argc; i++) {
        const char *s = argv[i];
        if (only_operands || s[0] != '-' || !s[1]) {
            argv[out++] = argv[i];
            only_operands |= strict;
        } else if (strcmp(s, "--") == 0) {
            only_operands = true;
        } else if (s[1] == '-') {
            parse_long(t, argv, argc, &i);
        } else {
            parse_short(t, argv, argc, &i);
        }
    }
    argv[out] = NULL;
    *n = (size_t)out;
    return argv;
}

/* ---- surroundings ---- */

/* The number in a one-line file; UINT64_MAX when there is none. */
static uint64_t number_in(const char *path)
{
    char line[64] = "";
    uint64_t v = UINT64_MAX;
    FILE *f = fopen(path, "re");
    if (!f)
        return v;
    if (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        if (!tsl_parse_u64(line, &v, NULL))
            v = UINT64_MAX;
    }
    fclose(f);
    return v;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The limit of this process's memory cgroup or of any above it, version 1 or 2. */
static uint64_t cgroup_limit(void)
{
    uint64_t best = UINT64_MAX;
    char line[4096];
    FILE *f = fopen("/proc/self/cgroup", "re");
    if (!f)
        return best;
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'), *path = NULL;
        if (controllers)
            path = strchr(controllers + 1, ':');
        if (!path)
            continue;
        *path++ = '\0';
        controllers++;
        bool v2 = !*controllers;
        if (!v2 && strcmp(controllers, "memory") != 0)
            continue;
        static const char *const roots[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified",
                                             "/sys/fs/cgroup/memory" };
        for (;;) {
            for (int r = v2 ? 0 : 2; r < (v2 ? 2 : 3); r++) {
                char name[4400];
                snprintf(name, sizeof name, "%s%s/%s", roots[r],
                         strcmp(path, "/") ? path : "",
                         v2 ? "memory.max" : "memory.limit_in_bytes");
                best = least(best, number_in(name));
            }
            char *slash = strrchr(path, '/');
            if (!slash || !path[1])
                break;
            slash[slash == path] = '\0';
        }
    }
    fclose(f);
    return best;
}

uint64_t cli_memory(void)
{
    struct rlimit r;
    uint64_t n = UINT64_MAX;
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (pages > 0 && page > 0)
        n = (uint64_t)pages * (uint64_t)page;
    n = least(n, cgroup_limit());
    if (getrlimit(RLIMIT_AS, &r) == 0 && r.rlim_cur != RLIM_INFINITY)
        n = least(n, r.rlim_cur);
    return n == UINT64_MAX ? UINT64_C(1) << 30 : n;
}

uint64_t cli_peak_rss(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (uint64_t)u.ru_maxrss * 1024;
}

int cli_finish(int rc, struct tsl_err *err)
{
    if (rc == 0)
        rc = tsl_file_close_output(err);
    if (rc < 0) {
        cli_warn("%s", err->msg[0] ? err->msg : "failed");
        return 1;
    }
    return 0;
}

const char *cli_bytes(char *buf, uint64_t n)
{
    static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    double v = (double)n;
    size_t i = 0;
    for (; v >= 1000 && i < 6; i++)
        v /= 1024;
    snprintf(buf, 16, i == 0 ? "%.0f %s" : "%.3g %s", v, unit[i]);
    return buf;
}
