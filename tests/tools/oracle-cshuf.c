/* oracle-cshuf - the slow obvious shuffle: all rows in memory, sorted by (key, address).
 *
 *   oracle-cshuf -s SEED [--rows KIND] [-z] [--unique] [-n COUNT] [FILE]...
 *
 * What cshuf writes must be these bytes.  Rows are found byte by byte, on purpose unlike
 * the library; only the key itself is shared with it.  Plain files only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/key.h"

struct row {
    uint64_t key, addr;
    const unsigned char *p;
    size_t n;
};

static unsigned char *text;
static size_t len, cap;
static struct row *rows;
static size_t nrows, rows_cap;

static void die(const char *why)
{
    fprintf(stderr, "oracle-cshuf: %s\n", why);
    exit(1);
}

static void *grow(void *p, size_t n)
{
    p = realloc(p, n);
    if (!p)
        die("out of memory");
    return p;
}

static void put_byte(int c)
{
    if (len == cap)
        text = grow(text, cap = cap ? cap * 2 : 65536);
    text[len++] = (unsigned char)c;
}

static void add_row(size_t from, size_t to, size_t addr)
{
    if (nrows == rows_cap)
        rows = grow(rows, (rows_cap = rows_cap ? rows_cap * 2 : 1024) * sizeof *rows);
    /* text may still move: p is set at the end */
    rows[nrows++] = (struct row){ 0, addr, (const unsigned char *)from, to - from };
}

/* Adds one file's bytes, with the end of its last row supplied. */
static void read_file(FILE *f, const char *kind)
{
    size_t start = len;
    for (int c; (c = getc(f)) != EOF;)
        put_byte(c);
    if (ferror(f))
        die("cannot read");
    if (len == start)
        return;
    if (strcmp(kind, "line") == 0 && text[len - 1] != '\n')
        put_byte('\n');
    if (strcmp(kind, "nul") == 0 && text[len - 1] != '\0')
        put_byte('\0');
    if (strcmp(kind, "para") == 0) {
        /* is the last line blank? */
        size_t at = len, open = text[len - 1] != '\n';
        if (!open)
            at--;
        size_t begin = at;
        while (begin > start && text[begin - 1] != '\n')
            begin--;
        int blank = at == begin || (at == begin + 1 && text[begin] == '\r');
        if (open)
            put_byte('\n');
        if (!blank)
            put_byte('\n');
    }
}

static void find_rows(const char *kind)
{
    if (strcmp(kind, "line") == 0 || strcmp(kind, "nul") == 0) {
        int end = strcmp(kind, "nul") == 0 ? 0 : '\n';
        for (size_t at = 0, from = 0; at < len; at++)
            if (text[at] == end) {
                add_row(from, at, from);
                from = at + 1;
            }
    } else if (strncmp(kind, "fixed:", 6) == 0) {
        size_t n = strtoul(kind + 6, NULL, 10);
        for (size_t at = 0; at < len; at += n)
            add_row(at, at + n, at);
    } else if (strcmp(kind, "u32") == 0) {
        for (size_t at = 0; at < len;) {
            size_t n = text[at] | text[at + 1] << 8 | text[at + 2] << 16 |
                       (size_t)text[at + 3] << 24;
            add_row(at + 4, at + 4 + n, at);
            at += 4 + n;
        }
    } else if (strcmp(kind, "para") == 0) {
        size_t from = 0, to = 0;
        int inside = 0;
        for (size_t at = 0; at < len;) {
            size_t end = at;
            while (text[end] != '\n')
                end++;
            int blank = end == at || (end == at + 1 && text[at] == '\r');
            if (!blank && !inside) {
                from = at;
                inside = 1;
            }
            if (!blank)
                to = end;
            if (blank && inside) {
                add_row(from, to, from);
                inside = 0;
            }
            at = end + 1;
        }
    } else {
        die("unknown kind of rows");
    }
}

static int by_key(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->addr < y->addr ? -1 : x->addr > y->addr;
}

int main(int argc, char **argv)
{
    const char *kind = "line";
    unsigned long long seed = 0, count = ~0ULL;
    int i = 1, unique = 0;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        if (strcmp(argv[i], "-z") == 0)
            kind = "nul";
        else if (strcmp(argv[i], "--unique") == 0)
            unique = 1;
        else if (strcmp(argv[i], "-s") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "-n") == 0 && i + 1 < argc)
            count = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--rows") == 0 && i + 1 < argc)
            kind = argv[++i];
        else
            die("unknown option");
    }
    if (i == argc)
        read_file(stdin, kind);
    for (; i < argc; i++) {
        FILE *f = strcmp(argv[i], "-") ? fopen(argv[i], "rb") : stdin;
        if (!f)
            die("cannot open");
        read_file(f, kind);
        if (f != stdin)
            fclose(f);
    }
    find_rows(kind);
    struct tsl_key k = tsl_key_make(seed, unique ? "shuffle contents" : "shuffle rows");
    for (size_t r = 0; r < nrows; r++) {
        rows[r].p = text + (size_t)rows[r].p;
        rows[r].key = unique ? tsl_key_at128(&k, tsl_hash128(rows[r].p, rows[r].n))
                             : tsl_key_at(&k, rows[r].addr);
    }
    if (nrows)
        qsort(rows, nrows, sizeof *rows, by_key);
    const struct row *last = NULL;
    for (size_t r = 0; r < nrows && count > 0; r++) {
        const struct row *w = &rows[r];
        if (unique && last && last->n == w->n && memcmp(last->p, w->p, w->n) == 0)
            continue;
        last = w;
        count--;
        if (strcmp(kind, "u32") == 0)
            for (int b = 0; b < 4; b++)
                putchar((int)(w->n >> (8 * b) & 255));
        fwrite(w->p, 1, w->n, stdout);
        if (strcmp(kind, "line") == 0)
            putchar('\n');
        if (strcmp(kind, "nul") == 0)
            putchar('\0');
        if (strcmp(kind, "para") == 0)
            fputs("\n\n", stdout);
    }
    if (fflush(stdout) != 0)
        die("cannot write");
    free(rows);
    free(text);
    return 0;
}
